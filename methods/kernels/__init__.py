"""GPU kernels; each is imported where it is used, so that nothing here is needed on a CPU."""

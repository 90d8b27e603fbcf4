"""Speed and memory beside peers, all in one run: search, quantizer step, whole training step (`make perf`)."""

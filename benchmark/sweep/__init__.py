"""The runs of a plan that are left, wherever there is room."""

"""What several methods share; a part imports `methods.core` and other parts, never a method."""

"""Checkpoints that others have published, read without executing anything and put into our models."""

"""The loop that every arm goes through."""

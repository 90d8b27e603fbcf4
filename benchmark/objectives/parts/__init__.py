"""Networks that objectives train."""

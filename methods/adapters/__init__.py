"""Other libraries' quantizers as methods, and the base class that wraps your own (`base.AdaptedQuantizer`)."""

"""The quantizers: one file a method, a registry, and the parts they share."""

from methods.base import Card, Knob, Quantized, Quantizer
from methods.errors import UsageError
from methods.registry import available, create, get, load_plugin, register

__all__ = [
    "Card",
    "Knob",
    "Quantized",
    "Quantizer",
    "UsageError",
    "available",
    "create",
    "get",
    "load_plugin",
    "register",
]

"""The quantizers: one file a method, what they stand on in `core`, what they share in `parts`, others' in `adapters`.

What a method needs is imported from here. A name is imported when it is first asked for, so that what needs no torch
does not wait for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from methods.adapters.base import AdaptedQuantizer
    from methods.core.base import Card, Knob, Quantized, Quantizer
    from methods.core.plugins import load_plugin
    from methods.core.registry import available, create, get, register
    from methods.core.usage import UsageError
    from methods.parts.codebook import CodebookQuantizer, vq_loss
    from methods.parts.estimators import straight_through
    from methods.parts.nearest import nearest_codes
else:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value


_HOMES = {
    "AdaptedQuantizer": "methods.adapters.base",
    "Card": "methods.core.base",
    "CodebookQuantizer": "methods.parts.codebook",
    "Knob": "methods.core.base",
    "Quantized": "methods.core.base",
    "Quantizer": "methods.core.base",
    "UsageError": "methods.core.usage",
    "available": "methods.core.registry",
    "create": "methods.core.registry",
    "get": "methods.core.registry",
    "load_plugin": "methods.core.plugins",
    "nearest_codes": "methods.parts.nearest",
    "register": "methods.core.registry",
    "straight_through": "methods.parts.estimators",
    "vq_loss": "methods.parts.codebook",
}

__all__ = [
    "AdaptedQuantizer",
    "Card",
    "CodebookQuantizer",
    "Knob",
    "Quantized",
    "Quantizer",
    "UsageError",
    "available",
    "create",
    "get",
    "load_plugin",
    "nearest_codes",
    "register",
    "straight_through",
    "vq_loss",
]

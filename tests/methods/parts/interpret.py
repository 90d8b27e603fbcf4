"""Runs the search and its split in Triton's interpreter, which has to be chosen before Triton is imported."""

import os
import sys

os.environ["TRITON_INTERPRET"] = "1"

import torch
from triton.runtime import interpreter

from methods.parts.nearest_triton import _split, search_triton


def repair_scalars() -> None:
    """Triton 3.6 makes a loop's bounds of arrays with one axis, which NumPy 2.4 refuses; later ones do as here."""
    patch = interpreter._patch_lang_tensor

    def repaired(tensor, scope):
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = repaired


if __name__ == "__main__":
    torch.set_num_threads(1)
    repair_scalars()
    cases = torch.load(sys.argv[1])
    searched = {name: search_triton(*pair) for name, pair in cases["search"].items()}
    torch.save({"search": searched, "split": _split(cases["split"], 16)}, sys.argv[2])

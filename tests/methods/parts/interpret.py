"""Runs the searches and their split in Triton's interpreter, which has to be chosen before Triton is imported."""

# ruff: noqa: E402
import gc
import os
import sys

gc.disable()  # what is imported lives to the end
os.environ["TRITON_INTERPRET"] = "1"

import torch
from triton.runtime import interpreter

from methods.parts.bounded_tiles import search_in
from methods.parts.bounded_triton import compare_tiles
from methods.parts.box_bounds import Directions
from methods.parts.nearest_triton import search_triton, split


def repair_scalars() -> None:
    """Triton 3.6 makes a loop's bounds of arrays with one axis, which NumPy 2.4 refuses; later ones do as here."""
    patch = interpreter._patch_lang_tensor

    def repaired(tensor, scope):
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = repaired


def search_tiles(latents, codewords, centre, basis):
    return search_in(Directions(centre, basis), latents, codewords, compare_tiles)


if __name__ == "__main__":
    torch.set_num_threads(1)
    repair_scalars()
    cases = torch.load(sys.argv[1])
    searched = {name: search_triton(*pair) for name, pair in cases["search"].items()}
    tiles = {name: search_tiles(*case) for name, case in cases["tiles"].items()}
    torch.save({"search": searched, "tiles": tiles, "split": split(cases["split"], 16)}, sys.argv[2])

"""Runs the search and its split in Triton's interpreter, which has to be chosen before Triton is imported."""

import os
import sys

os.environ["TRITON_INTERPRET"] = "1"

import torch

from methods.kernels.nearest import _split, search_triton

if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = torch.load(sys.argv[1])
    searched = {name: search_triton(*pair) for name, pair in cases["search"].items()}
    torch.save({"search": searched, "split": _split(cases["split"], 16)}, sys.argv[2])

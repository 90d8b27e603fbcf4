"""Worker of the `in_two_processes` fixture: joins a gloo group of two and runs one function of one file."""

import importlib.util
import os
import sys
import traceback
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist


def main(rank: int, folder: str, file: str, function: str) -> None:
    torch.set_num_threads(1)
    os.chdir(folder)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2, timeout=timedelta(seconds=300)
    )
    spec = importlib.util.spec_from_file_location("two_processes_task", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.save(getattr(module, function)(rank), f"rank{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    rank, folder, *_ = task = globals()["task"]
    try:
        main(*task)
    except BaseException:
        Path(folder, f"errors{rank}").write_text(traceback.format_exc())
        sys.exit(1)

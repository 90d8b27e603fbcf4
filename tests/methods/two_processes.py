"""Worker of the `in_two_processes` fixture: joins a gloo group of two and runs one function of one file."""

import importlib.util
import sys
from datetime import timedelta

import torch
import torch.distributed as dist


def main(rank: str, rendezvous: str, file: str, function: str, output: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=int(rank), world_size=2, timeout=timedelta(seconds=60)
    )
    spec = importlib.util.spec_from_file_location("two_processes_task", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.save(getattr(module, function)(int(rank)), output)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Two processes with half the test set each count what one process counts."""

import json
import subprocess
import sys

import torch

from benchmark.metrics.codes import CodeStatistics, QuantizationError

WORKER = """
import json, sys
import torch, torch.distributed as dist
from benchmark.metrics.codes import CodeStatistics, QuantizationError

rank, folder = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
data = torch.load(f"{folder}/data.pt", weights_only=True)
# Unequal shares, as a test set that does not divide evenly has.
share = slice(0, 70) if rank == 0 else slice(70, None)
one, two, error = CodeStatistics((50,), "cpu"), CodeStatistics((50, 9), "cpu"), QuantizationError("cpu")
one.update(data["codes"][share, :, :1])
two.update(data["codes"][share])
error.update(data["latents"][share], data["quantized"][share])
result = [one.compute(), two.compute(), error.compute(), two.counts[1].tolist()]
print(json.dumps(result))
dist.destroy_process_group()
"""


def test_two_processes_count_as_one(tmp_path):
    generator = torch.Generator().manual_seed(0)
    codes = torch.stack(
        [torch.randint(0, size, (100, 4), generator=generator).square() // size for size in (50, 9)], dim=-1
    )
    codes[::7, 0, 1] = -1
    latents = torch.randn(100, 4, 6, generator=generator)
    quantized = latents + 0.1 * torch.randn(100, 4, 6, generator=generator)
    torch.save({"codes": codes, "latents": latents, "quantized": quantized}, tmp_path / "data.pt")
    command = [sys.executable, "-c", WORKER]
    processes = [
        subprocess.Popen([*command, str(rank), str(tmp_path)], stdout=subprocess.PIPE, text=True) for rank in (0, 1)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]

    one, two, error = CodeStatistics((50,), "cpu"), CodeStatistics((50, 9), "cpu"), QuantizationError("cpu")
    one.update(codes[..., :1])
    two.update(codes)
    error.update(latents, quantized)
    for output in outputs:
        ours = json.loads(output.strip().splitlines()[-1])
        assert ours[0] == one.compute()
        assert ours[1].keys() == two.compute().keys()
        for name, value in two.compute().items():
            assert abs(ours[1][name] - value) <= 1e-12 * abs(value), name
        assert abs(ours[2] - error.compute()) < 1e-12
        assert ours[3] == two.counts[1].tolist()

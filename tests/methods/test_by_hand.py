"""Every number of docs/by_hand.md, computed by the methods that it speaks of from what it starts with."""

import ast
import re
from pathlib import Path

import pytest
import torch

from methods import create

PAGE = (Path(__file__).parents[2] / "docs" / "by_hand.md").read_text(encoding="utf-8")
_INPUTS = PAGE.split("```python\n")[1].split("```")[0]
GIVEN = {name: torch.tensor(ast.literal_eval(value)) for name, value in re.findall(r"(\w+) = (.*)", _INPUTS)}
ARMS = {
    "VQ-VAE": ("vq_vae", {}),
    "SimVQ without bias": ("simvq", {"bias": False}),
    "SimVQ": ("simvq", {"bias": True}),
}


def tables() -> list[list[list[str]]]:
    """Of every table its rows of cells, heading first."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", PAGE, re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines()] for block in blocks]


def started(name: str, params: dict):
    quantizer = create(name, 2, 2, beta=GIVEN["beta"].item(), **params).train()
    quantizer.codebook.data.copy_(GIVEN["codebook"])
    if name == "simvq":
        quantizer.map[0].weight.data.copy_(torch.eye(2))
        if params["bias"]:
            quantizer.map[0].bias.data.zero_()
    return quantizer


def one_step(name: str, params: dict) -> dict[str, torch.Tensor]:
    """What the second table tells, by the names of its rows."""
    quantizer = started(name, params)
    latents = GIVEN["latents"].float().requires_grad_()
    before = quantizer(latents)
    before.loss.backward()
    found = {"loss before it": before.loss, "gradient of z₁": latents.grad[0]}
    if name == "vq_vae":
        found |= {"gradient of c₀": quantizer.codebook.grad[0], "gradient of c₁": quantizer.codebook.grad[1]}
    else:
        found["gradient of W"] = quantizer.map[0].weight.grad
        if params["bias"]:
            found["gradient of b"] = quantizer.map[0].bias.grad
    torch.optim.SGD(quantizer.parameter_groups(GIVEN["learning_rate"].item())).step()
    if name == "simvq":
        found["W"] = quantizer.map[0].weight
        if params["bias"]:
            found["b"] = quantizer.map[0].bias
    [codewords] = quantizer.codewords()
    after = quantizer(latents.detach())
    return found | {"c₀": codewords[0], "c₁": codewords[1], "codes": after.codes[:, 0], "loss after it": after.loss}


def test_distances_and_codes():
    latents, codebook = GIVEN["latents"].double(), GIVEN["codebook"].double()
    distances = (latents[:, None] - codebook).square().sum(-1)
    rows = tables()[0][2:]
    assert [row[0] for row in rows] == ["z₁", "z₂", "z₃", "z₄"]
    assert [[float(cell) for cell in row[1:3]] for row in rows] == distances.tolist()
    codes = started("vq_vae", {}).encode(GIVEN["latents"].float())
    assert [int(row[3]) for row in rows] == codes.flatten().tolist() == distances.argmin(1).tolist()


@pytest.mark.parametrize("arm", ARMS)
def test_the_step(arm):
    heading, _, *rows = tables()[1]
    told = {row[0]: row[heading.index(arm)] for row in rows}
    found = one_step(*ARMS[arm])
    assert {name for name, cell in told.items() if cell != "none"} == set(found)
    for name, value in found.items():
        expected = torch.tensor(ast.literal_eval(told[name]), dtype=torch.float64)
        torch.testing.assert_close(
            value.detach().double(), expected, rtol=0, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_the_arithmetic_of_the_text():
    sums = re.findall(r"([(\d][\d .+·/()]*) = (\d+(?:\.\d+)?)", PAGE)
    assert len(sums) >= 3
    for terms, result in sums:
        assert eval(terms.replace("·", "*")) == float(result), terms

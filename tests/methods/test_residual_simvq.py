"""residual_simvq is residual_vq over simvq, and at depth 1 simvq."""

import torch

from methods import create


def test_it_is_residual_vq_over_simvq() -> None:
    latents = torch.randn(6, 5, 8, generator=torch.Generator().manual_seed(1))
    outcomes = []
    for name, params in (("residual_simvq", {}), ("residual_vq", {"level": "simvq", "level_params": {"beta": 0.25}})):
        torch.manual_seed(0)
        quantizer = create(name, 256, 8, **params)
        leaf = latents.clone().requires_grad_()
        result = quantizer(leaf)
        (result.loss + (result.latents * latents.cos()).sum()).backward()
        gradients = [parameter.grad for parameter in quantizer.parameters() if parameter.grad is not None]
        outcomes.append([result.latents.detach(), result.codes, result.loss.detach(), leaf.grad, *gradients])
    assert len(outcomes[0]) == 4 + 4 * 2
    assert all(torch.equal(one, other) for one, other in zip(*outcomes, strict=True))


def test_depth_one_is_simvq() -> None:
    latents = torch.randn(40, 8, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    residual = create("residual_simvq", 16, 8, depth=1).eval()
    torch.manual_seed(0)
    simvq = create("simvq", 16, 8).eval()
    assert torch.equal(residual(latents).latents, simvq(latents).latents)
    assert torch.equal(residual.encode(latents), simvq.encode(latents))

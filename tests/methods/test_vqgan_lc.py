"""VQGAN-LC: frozen features, the projector's gradient in closed form, SimVQ as a special case, files of features."""

import pickle

import numpy as np
import pytest
import torch

from methods import UsageError, create
from methods.contract import check_quantizer
from methods.vqgan_lc import VQGANLC

K, D, F = 12, 3, 7


@pytest.fixture
def features(tmp_path) -> str:
    """A file of K features of width F."""
    rows = np.random.default_rng(0).normal(size=(K, F)).astype(np.float32)
    np.save(tmp_path / "features.npy", rows)
    return str(tmp_path / "features.npy")


def draw(*shape, seed=1) -> torch.Tensor:
    return torch.randn(*shape, D, generator=torch.Generator().manual_seed(seed))


def test_loss_and_gradients_of_projector_and_latents(features):
    quantizer = create("vqgan_lc", K, D, features=features, commitment_weight=2.0, codebook_weight=0.5)
    latents = draw(40).requires_grad_()
    result = quantizer(latents)
    rows, codes = quantizer.features, result.codes.squeeze(-1)
    weight, bias = quantizer.projector.weight.detach(), quantizer.projector.bias.detach()
    error = rows[codes] @ weight.T + bias - latents.detach()
    assert float(result.loss.detach()) == pytest.approx(2.5 * float(error.square().mean()), rel=1e-5)
    result.loss.backward()
    assert torch.allclose(latents.grad, -2.0 * 2 * error / (40 * D), atol=1e-6)
    assert torch.allclose(quantizer.projector.weight.grad, 0.5 * 2 * error.T @ rows[codes] / (40 * D), atol=1e-6)
    assert torch.allclose(quantizer.projector.bias.grad, 0.5 * 2 * error.sum(0) / (40 * D), atol=1e-6)


def test_features_are_frozen_and_every_codeword_moves(features):
    quantizer = create("vqgan_lc", K, D, features=features)
    frozen, before = quantizer.features.clone(), quantizer.codewords()[0].detach().clone()
    optimiser = torch.optim.SGD(quantizer.parameter_groups(1.0)[0]["params"], lr=1.0)
    for step in range(3):
        optimiser.zero_grad()
        quantizer(draw(2, seed=step)).loss.backward()
        optimiser.step()
    assert torch.equal(quantizer.features, frozen)
    assert "features" in quantizer.state_dict()
    assert bool(((quantizer.codewords()[0] - before).norm(dim=1) > 1e-4).all())


def test_with_square_projector_and_the_same_features_it_is_simvq():
    torch.manual_seed(0)
    simvq = create("simvq", K, D, beta=0.25)
    quantizer = create("vqgan_lc", K, D, commitment_weight=0.25, codebook_weight=1.0)
    quantizer.features = simvq.codebook.detach().clone()
    quantizer.projector = simvq.map[0]
    for mode in (True, False):
        one, other = quantizer.train(mode)(draw(30)), simvq.train(mode)(draw(30))
        assert torch.equal(one.codes, other.codes)
        assert torch.equal(one.latents, other.latents)
        assert torch.equal(one.loss, other.loss)


def test_start():
    torch.manual_seed(0)
    quantizer = create("vqgan_lc", 4096, 16)
    assert quantizer.features.shape == (4096, 768)
    assert float(quantizer.features.square().sum(1).mean()) == pytest.approx(1, rel=0.01)
    assert float(quantizer.projector.weight.detach().std()) == pytest.approx(0.25, rel=0.03)


def test_files_of_features(tmp_path, features):
    rows = torch.from_numpy(np.load(features))
    torch.save(rows.half(), tmp_path / f"made-{K}.pt")
    for name in (features, str(tmp_path / "made-{codebook_size}.pt")):
        quantizer = create("vqgan_lc", K, D, features=name)
        assert torch.allclose(quantizer.features, rows, atol=2e-3)
        assert quantizer.features.dtype == torch.float32


def test_features_of_patches_come_from_the_harness():
    rows = torch.randn(K, 1280, generator=torch.Generator().manual_seed(0))
    asked = []
    for features in ("patches", "gaussian"):
        quantizer = create("vqgan_lc", K, D, features=features)
        quantizer.use_pretrained(lambda count: asked.append(count) or rows)
        assert torch.equal(quantizer.features, rows) == (features == "patches")
    assert asked == [K]


def test_contract_with_a_file_but_for_its_one_size(features):
    results = check_quantizer("vqgan_lc", codebook_size=K, dim=D, params={"features": features})
    assert [result for result in results if not result.passed] == []


class Planted:
    """An object whose unpickling leaves a trace."""

    def __reduce__(self):
        return (exec, ("import builtins; builtins.planted = True",))


@pytest.mark.parametrize("name", ["features.pt", "features.npy"])
def test_a_file_runs_no_code(tmp_path, name):
    import builtins

    (tmp_path / name).write_bytes(pickle.dumps(Planted()))
    with pytest.raises(UsageError, match="can't be read as features"):
        create("vqgan_lc", K, D, features=str(tmp_path / name))
    assert not hasattr(builtins, "planted")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((K - 1, F), np.float32), "has 11 features, not 12"),
        (np.zeros(K, np.float32), "table of numbers"),
        (np.zeros((K, F), np.int64), "table of numbers"),
        (np.full((K, F), np.nan, np.float32), "not all finite"),
    ],
)
def test_unfit_files(tmp_path, rows, message):
    np.save(tmp_path / "features.npy", rows)
    with pytest.raises(UsageError, match=message):
        create("vqgan_lc", K, D, features=str(tmp_path / "features.npy"))


def test_the_plan_learns_of_a_missing_file_and_a_wrong_size(features):
    assert VQGANLC.resolve_size(K, features=features) == (K,)
    with pytest.raises(UsageError, match="not 64"):
        VQGANLC.resolve_size(64, features=features)
    with pytest.raises(UsageError, match="make it with `python -m benchmark features"):
        VQGANLC.resolve_size(64, features="nowhere-{codebook_size}.npy")
    with pytest.raises(UsageError, match="the name of a file, not 5"):
        create("vqgan_lc", K, D, features=5)

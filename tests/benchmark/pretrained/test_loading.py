"""Published checkpoints in our models: the averages where there are any, every weight in its place, what is wrong."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmark.models import models
from benchmark.pretrained.families import FAMILIES, family_of, resemblance
from benchmark.pretrained.loading import Loaded, load_pretrained
from methods import Quantizer, create
from methods.core.usage import UsageError

TINY = {"channels": 4, "multipliers": [1, 2], "latent_dim": 6}


def build(name: str, seed: int, **params: Any) -> tuple[nn.Module, Quantizer]:
    torch.manual_seed(seed)
    family = FAMILIES[name]
    options = {**TINY, "quant_conv": False} if name == "llamagen" else TINY
    return models.create(family.model, options, item_shape=(3, 8, 8)), create(family.method, 16, 6, **params)


def published(name: str, seed: int, *, averages: bool = False) -> dict[str, torch.Tensor]:
    """A state by the authors' names; ``averages``: three times every trained weight."""
    model, quantizer = build(name, seed)
    state = {FAMILIES[name].rename(weight, 2): value for weight, value in model.state_dict().items()}
    for ours, theirs in FAMILIES[name].quantizer.items():
        value = quantizer.state_dict()[ours]
        state[theirs] = value[..., None, None] if theirs.endswith("quant_conv.weight") else value
    trained = [weight for weight in state if weight != "quantize.embedding.weight"]
    if averages:
        state |= {f"model_ema.{weight.replace('.', '')}": 3 * state[weight] for weight in trained}
    return {**state, "loss.discriminator.main.0.weight": torch.zeros(2), "model_ema.decay": torch.tensor(0.999)}


def load(state: dict[str, torch.Tensor], name: str, folder: Path, **params: Any) -> tuple[Loaded, nn.Module, Quantizer]:
    torch.save({"epoch": 1, "state_dict": state}, folder / "theirs.ckpt")
    model, quantizer = build(name, 1, **params)
    return load_pretrained(folder / "theirs.ckpt", FAMILIES[name], model, quantizer), model, quantizer


@pytest.mark.parametrize("name", FAMILIES)
def test_every_weight_is_theirs(name: str, tmp_path: Path) -> None:
    loaded, model, quantizer = load(published(name, 0), name, tmp_path)
    expected, codebook = build(name, 0)
    assert loaded.averaged == 0
    assert loaded.weights == len(expected.state_dict()) + len(FAMILIES[name].quantizer)
    for ours, theirs in ((model, expected), (quantizer, codebook)):
        for key, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[key], value), key
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(quantizer.eval().encode(model.encode(images)), codebook.eval().encode(expected.encode(images)))


def test_averages_are_read_where_the_file_has_them(tmp_path: Path) -> None:
    loaded, model, quantizer = load(published("simvq", 0, averages=True), "simvq", tmp_path)
    expected, codebook = build("simvq", 0)
    assert loaded.averaged == loaded.weights - 1
    for key, value in expected.state_dict().items():
        assert torch.equal(model.state_dict()[key], 3 * value), key
    assert torch.equal(quantizer.state_dict()["map.0.weight"], 3 * codebook.state_dict()["map.0.weight"])
    assert torch.equal(quantizer.state_dict()["codebook"], codebook.state_dict()["codebook"])


def test_a_bare_state_is_read_too(tmp_path: Path) -> None:
    torch.save(published("taming", 0), tmp_path / "bare.pt")
    model, quantizer = build("taming", 1)
    assert load_pretrained(tmp_path / "bare.pt", FAMILIES["taming"], model, quantizer).weights > 0


def test_names_of_llamagen() -> None:
    renamed = FAMILIES["llamagen"].rename
    assert renamed("encoder.down.1.block.0.norm1.weight", 3) == "encoder.conv_blocks.1.res.0.norm1.weight"
    assert renamed("decoder.up.0.block.2.nin_shortcut.bias", 3) == "decoder.conv_blocks.2.res.2.nin_shortcut.bias"
    assert renamed("decoder.up.2.upsample.conv.bias", 3) == "decoder.conv_blocks.0.upsample.conv.bias"
    assert renamed("decoder.mid.attn_1.q.weight", 3) == "decoder.mid.1.q.weight"


def test_llamagen_keeps_averages_under_a_name_and_a_list_of_codes_in_use(tmp_path: Path) -> None:
    state, others = published("llamagen", 0), published("llamagen", 2)
    used = {"quantize.codebook_used": torch.zeros(9)}
    torch.save({"model": others, "ema": {**state, **used}}, tmp_path / "theirs.pt")
    model, quantizer = build("llamagen", 1)
    load_pretrained(tmp_path / "theirs.pt", FAMILIES["llamagen"], model, quantizer)
    assert torch.equal(quantizer.state_dict()["codebook"], state["quantize.embedding.weight"])
    with pytest.raises(UsageError, match="`quantize.embedding.weight` has the shape 16x8, not 16x4, and 3 more differ"):
        load_pretrained(tmp_path / "theirs.pt", FAMILIES["llamagen"], *build("llamagen", 1, code_dim=4))


def test_another_architecture_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"`encoder.mid_block.0.norm1.weight`.* and \d+ more are missing; it seems"
    ) as e:
        load(published("taming", 0), "simvq", tmp_path)
    assert "of taming-transformers' VQGAN" in str(e.value)
    state = published("simvq", 0)
    del state["decoder.conv_out.bias"]
    with pytest.raises(
        UsageError, match=r"`decoder.conv_out.bias` is missing; it seems to be of SimVQ's repository, imag"
    ):
        load(state, "simvq", tmp_path)
    with pytest.raises(UsageError, match="`encoder.down.7.block.0.conv1.weight` is without a place in it"):
        load({**published("simvq", 0), "encoder.down.7.block.0.conv1.weight": torch.zeros(1)}, "simvq", tmp_path)


def test_another_size_is_named(tmp_path: Path) -> None:
    state = {**published("simvq", 0), "quantize.embedding.weight": torch.zeros(32, 6)}
    with pytest.raises(UsageError, match="of another size: `quantize.embedding.weight` has the shape 32x6, not 16x6"):
        load(state, "simvq", tmp_path)


def test_a_file_without_a_state(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(UsageError, match="holds no state of a model"):
        load_pretrained(tmp_path / "list.pt", FAMILIES["simvq"], *build("simvq", 0))
    with pytest.raises(UsageError, match="are missing; it has no tensors"):
        load({}, "simvq", tmp_path)


def test_parameters_that_add_weights(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="have no `map.2.bias`, which these parameters of the method add"):
        load(published("simvq", 0), "simvq", tmp_path, layers=2)


def test_families_go_with_models_and_methods() -> None:
    assert family_of("simvq", "simvq").title == "SimVQ's repository"
    with pytest.raises(UsageError, match="are read into the models `simvq`, `vqgan`, not into `conv`"):
        family_of("conv", "simvq")
    assert family_of("vqgan", "factorized_vq").title == "LlamaGen's tokenizer"
    with pytest.raises(UsageError, match="VQGAN with the method `vq_vae`, those of LlamaGen's .*; not with `simvq`"):
        family_of("vqgan", "simvq")


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (["transformer.tok_emb.weight", "first_stage_model.encoder.conv_in.weight"], "a transformer over the codes"),
        (["encoder.conv_blocks.0.res.0.norm1.weight", "quantize.embedding.weight"], "LlamaGen's tokenizer"),
        (["encoder.model.0.conv", "quantize.embedding_proj.weight"], "SimVQ's repository, speech"),
        (["model.encoder.conv_in.weight", "quantizer.codebook"], "a run of this benchmark"),
        (["layer1.weight"], "its first names are `layer1.weight`"),
    ],
)
def test_what_a_file_seems_to_be(names: list[str], title: str) -> None:
    assert title in resemblance(names)

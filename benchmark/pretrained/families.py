"""What the checkpoints of each family hold: which model and method they are of, and whose averages they carry."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from methods.core.usage import UsageError

Names = Mapping[str, str]


@dataclass(frozen=True)
class Family:
    """A repository's checkpoints.

    ``method``: the quantizer's; ``quantizer``: our names of its weights, and theirs. The model's names are theirs.
    ``averages``: from the name of a weight to that of its moving average in the same file.
    """

    title: str
    method: str
    quantizer: Names
    averages: Callable[[str], str] | None = None


FAMILIES = {
    "simvq": Family(
        "SimVQ's repository",
        "simvq",
        {
            "codebook": "quantize.embedding.weight",
            "map.0.weight": "quantize.embedding_proj.weight",
            "map.0.bias": "quantize.embedding_proj.bias",
        },
        # Names of buffers may have no dots; what is not trained has no average.
        averages=lambda name: f"model_ema.{name.replace('.', '')}",
    ),
    "vqgan": Family("taming-transformers' VQGAN", "vq_vae", {"codebook": "quantize.embedding.weight"}),
}
"""By the name of our model."""


def family_of(model: str, method: str) -> Family:
    """The family of checkpoints for a model and a method.

    Raises:
        UsageError: there is none.
    """
    if model not in FAMILIES:
        known = ", ".join(f"`{name}`" for name in FAMILIES)
        raise UsageError(f"checkpoints are read into the models {known}, not into `{model}`")
    family = FAMILIES[model]
    if method != family.method:
        raise UsageError(f"checkpoints of {family.title} are read with the method `{family.method}`, not `{method}`")
    return family


_SIGNS: dict[str, tuple[str, ...]] = {
    "a transformer over the codes of taming-transformers": ("transformer.", "first_stage_model."),
    "a latent diffusion model": ("model.diffusion_model.",),
    "SimVQ's repository, images": ("encoder.mid_block.", "quantize.embedding_proj."),
    "SimVQ's repository, speech": ("encoder.model.", "quantize.embedding_proj."),
    "taming-transformers' VQGAN with Gumbel softmax": ("encoder.mid.attn_1.", "quantize.embed."),
    "taming-transformers' VQGAN": ("encoder.mid.attn_1.", "quantize.embedding."),
    "LlamaGen's tokenizer": ("encoder.conv_blocks.", "quantize.embedding."),
    "a VQModel of diffusers": ("encoder.down_blocks.", "quantize.embedding."),
    "Open-MAGVIT2's tokenizer": ("encoder.mid_block.", "decoder.adaptive."),
    "a run of this benchmark": ("model.encoder.", "quantizer."),
}


def resemblance(names: Collection[str]) -> str:
    """What a file with tensors of these ``names`` seems to be."""
    for title, signs in _SIGNS.items():
        if all(any(name.startswith(sign) for name in names) for sign in signs):
            return f"it seems to be of {title}"
    return (
        f"its first names are {', '.join(f'`{name}`' for name in sorted(names)[:3])}" if names else "it has no tensors"
    )

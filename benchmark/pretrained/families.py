"""What the checkpoints of each family hold: which model and method they are of, and whose averages they carry."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from methods.core.usage import UsageError

Names = Mapping[str, str]


@dataclass(frozen=True)
class Family:
    """A repository's checkpoints, of our ``model`` with our ``method``.

    ``quantizer``: our names of its weights, and theirs. ``rename``: from the model's names, of a model with so many
    resolutions, to theirs. ``averages``: from the name of a weight to that of its moving average in the same file.
    ``states``: where the weights may be in the file, the best first. ``unused``: of their quantizer, what has no use
    here.
    """

    title: str
    model: str
    method: str
    quantizer: Names
    rename: Callable[[str, int], str] = lambda name, _: name
    averages: Callable[[str], str] | None = None
    states: tuple[str, ...] = ("state_dict",)
    unused: tuple[str, ...] = ()


def _of_llamagen(name: str, resolutions: int) -> str:
    """Blocks by the order in which they are passed: a decoder's first is that of the lowest resolution."""
    name = name.replace("mid.block_1", "mid.0").replace("mid.attn_1", "mid.1").replace("mid.block_2", "mid.2")
    name = re.sub(r"\.up\.(\d+)", lambda found: f".conv_blocks.{resolutions - 1 - int(found[1])}", name)
    return re.sub(r"\.down\.(\d+)", r".conv_blocks.\1", name).replace(".block.", ".res.")


FAMILIES = {
    "simvq": Family(
        "SimVQ's repository",
        "simvq",
        "simvq",
        {
            "codebook": "quantize.embedding.weight",
            "map.0.weight": "quantize.embedding_proj.weight",
            "map.0.bias": "quantize.embedding_proj.bias",
        },
        # Names of buffers may have no dots; what is not trained has no average.
        averages=lambda name: f"model_ema.{name.replace('.', '')}",
    ),
    "taming": Family("taming-transformers' VQGAN", "vqgan", "vq_vae", {"codebook": "quantize.embedding.weight"}),
    "llamagen": Family(
        "LlamaGen's tokenizer",
        "vqgan",
        "factorized_vq",
        {
            "codebook": "quantize.embedding.weight",
            # Its 1x1 convolutions are our projections; the model has none of its own (`quant_conv: false`).
            "project_in.weight": "quant_conv.weight",
            "project_in.bias": "quant_conv.bias",
            "project_out.weight": "post_quant_conv.weight",
            "project_out.bias": "post_quant_conv.bias",
        },
        rename=_of_llamagen,
        states=("ema", "model", "state_dict"),
        unused=("quantize.codebook_used",),
    ),
}


def family_of(model: str, method: str) -> Family:
    """The family of checkpoints for a model and a method.

    Raises:
        UsageError: there is none.
    """
    of_model = [family for family in FAMILIES.values() if family.model == model]
    if not of_model:
        known = ", ".join(f"`{name}`" for name in dict.fromkeys(family.model for family in FAMILIES.values()))
        raise UsageError(f"checkpoints are read into the models {known}, not into `{model}`")
    for family in of_model:
        if family.method == method:
            return family
    methods = ", ".join(f"those of {family.title} with the method `{family.method}`" for family in of_model)
    raise UsageError(f"checkpoints are read into the model `{model}`: {methods}; not with `{method}`")


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

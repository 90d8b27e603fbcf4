"""Ten quantizers of the library vector-quantize-pytorch as one method, whose parameter ``class`` says which."""

import inspect
import math
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from methods.adapters.base import AdaptedQuantizer
from methods.core.base import Card
from methods.core.registry import register
from methods.core.usage import UsageError, check_choice, check_count, check_options, options_of
from methods.fsq import FSQ, TOLERANCE
from methods.parts.estimators import straight_through
from methods.parts.levels import split_size

_LIBRARY = "vector-quantize-pytorch"
_HIDDEN = {
    *(
        "dim",
        "codebook_size",
        "channel_first",
        "channel_last",
        "is_channel_first",
        "accept_image_fmap",
        "accept_3d_fmap",
    ),
    *("keep_num_codebooks_dim", "return_indices", "return_zeros_for_masked_padding", "has_projections"),
    *("manual_ema_update", "manual_in_place_optimizer_update", "sync_codebook", "sync_affine_param", "sync_kmeans"),
    *("allowed_dtypes", "force_quantization_f32", "route_gradients_to_input"),
}
"""What the harness gives, or what a call of its own would have to go with; modules and functions are left out too."""


def _back(module: Any, codes: Tensor) -> Tensor:
    return module.get_output_from_indices(codes)


def _back_from_one(module: Any, codes: Tensor) -> Tensor:
    return module.indices_to_codes(codes.squeeze(-1) if codes.shape[-1] == 1 else codes)


def _back_from_heads(module: Any, codes: Tensor) -> Tensor:
    if module.separate_codebook_per_head:
        return module.get_output_from_indices(codes)
    # Of heads that share a codebook the library looks codewords up and does not join them.
    return module.project_out(module.codebook[codes].flatten(-2))


def _back_from_groups(module: Any, codes: Tensor) -> Tensor:
    return module.get_output_from_indices(codes.unflatten(-1, (module.groups, -1)).movedim(-2, 0))


def _back_from_projection(module: Any, codes: Tensor) -> Tensor:
    """The shortest latent whose random projection is the codeword; the library itself has no way back."""
    return module.vq.codebook[0][codes.squeeze(-1)] @ torch.linalg.pinv(module.rand_projs[0])


@dataclass(frozen=True)
class _Kind:
    """How a class of the library is built and spoken to.

    ``levels``: the options whose product is how many codes a position has. ``passes_on``: the classes that get what
    it has no parameter for. ``fixes``: those of their parameters that it sets itself. ``defaults``: of options for
    which the library has none.
    """

    look_up: Callable[[Any, Tensor], Tensor]
    levels: tuple[str, ...] = ()
    passes_on: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


_DEPTH = {"num_quantizers": 4}
_KINDS = {
    "VectorQuantize": _Kind(_back_from_heads, ("heads",), defaults={"heads": 1}),
    "SimVQ": _Kind(_back_from_one),
    "ResidualVQ": _Kind(_back, ("num_quantizers",), ("VectorQuantize",), ("heads",), _DEPTH),
    "GroupedResidualVQ": _Kind(
        _back_from_groups, ("groups", "num_quantizers"), ("ResidualVQ", "VectorQuantize"), ("heads",), _DEPTH
    ),
    "ResidualSimVQ": _Kind(_back, ("num_quantizers",), ("SimVQ",), ("heads",), _DEPTH),
    "FSQ": _Kind(_back_from_one, ("num_codebooks",), defaults={"levels": None}),
    "ResidualFSQ": _Kind(
        _back, ("num_quantizers",), ("FSQ",), ("num_codebooks", "preserve_symmetry"), {"levels": None, **_DEPTH}
    ),
    "LFQ": _Kind(_back_from_one, ("num_codebooks",)),
    "ResidualLFQ": _Kind(_back, ("num_quantizers",), ("LFQ",), ("num_codebooks", "codebook_scale"), _DEPTH),
    "RandomProjectionQuantizer": _Kind(
        _back_from_projection,
        passes_on=("VectorQuantize",),
        # Several codebooks share a second projection, at random and without a way back.
        fixes=("heads", "use_cosine_sim", "separate_codebook_per_head", "num_codebooks"),
        defaults={"codebook_dim": 16},
    ),
}
_MOVING = {
    "eval_changes_nothing": "with `affine_param` the statistics of the batch are updated in evaluation too",
    "independence": "with `affine_param` an output depends on the batches that were evaluated before",
    "positions": "with `affine_param` a second evaluation of the same latents gives another output",
    "precision": "with `affine_param` a second evaluation of the same latents gives another output",
    "decode": "with `affine_param` codewords are moved to the latents' statistics, and those of its way back are not",
    "deterministic": "with `affine_param` a state begins with memory that was never written",
    "resume": "with `affine_param` a saved state does not fit a new object: two of its tensors are not there yet",
}
_NOISY = dict.fromkeys(
    ("decode", "eval_changes_nothing", "independence", "positions", "precision", "resume"),
    "with `diveq` evaluation adds noise to the output",
)
_FOUND: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (
        "SimVQ",
        "class",
        {"decode": "its estimator stays on in evaluation: output and way back differ by rounding, 5e-7"},
    ),
    ("ResidualSimVQ", "class", {"decode": "as of SimVQ: output and way back differ by rounding, 5e-7"}),
    *((name, "affine_param", _MOVING) for name in ("VectorQuantize", "ResidualVQ", "GroupedResidualVQ")),
    *((name, "diveq", _NOISY) for name in ("ResidualVQ", "GroupedResidualVQ")),
    *(
        (name, "beam_size", {"smallest_sizes": "with `beam_size` one codeword is too few for a beam of two"})
        for name in ("ResidualVQ", "GroupedResidualVQ")
    ),
    *(
        (name, "orthogonal_rotation", {"decode": "with `orthogonal_rotation` its way back does not rotate"})
        for name in ("ResidualFSQ", "ResidualLFQ")
    ),
    ("ResidualLFQ", "spherical", {"decode": "with `spherical` its way back does not normalise"}),
)
"""What was found that a class does not promise where an option is on, by the name of the contract's check."""
CLASSES = tuple(_KINDS)


@register("vector_quantize_pytorch")
class VectorQuantizePyTorch(AdaptedQuantizer):
    """A quantizer of vector-quantize-pytorch (lucidrains), as that library has it.

    The parameters are those of the class, with its defaults, but modules and functions, which no suite can write, and
    those that say how data lie. The codebook size is that of a position: the product over ``heads``,
    ``num_codebooks``, ``num_quantizers`` and ``groups``, whose levels are of one size (of ResidualVQ also powers of
    two that differ by a factor of two). FSQ and ResidualFSQ have the ``levels`` of `fsq` at that size unless they are
    given. The losses of several levels are summed.

    Args:
        class: VectorQuantize, SimVQ, ResidualVQ, GroupedResidualVQ, ResidualSimVQ, FSQ, ResidualFSQ, LFQ, ResidualLFQ
            or RandomProjectionQuantizer.
        library: its version; that which is installed, and part of a run's key.
    """

    card = Card(
        idea="a quantizer of the library vector-quantize-pytorch, chosen by `class`",
        paper="the paper of the class; docs/libraries.md says which method here each class is beside",
        code="lucidrains/vector-quantize-pytorch, which this is",
        trains="what the class trains",
        memory="N·K, of every latent and codeword (FSQ: N·d)",
        schedule="nothing is annealed; moving averages of a codebook look back over 1 / (1 - decay) steps, by default "
        "5, however long the run",
        differences=(
            "the losses of several levels are summed, where the library gives them one by one",
            "RandomProjectionQuantizer gives codes alone there; here its output is the shortest latent whose random "
            "projection is the codeword",
            "heads that share a codebook are joined on the way back, which get_output_from_indices leaves out",
            "what a class does not promise of the contract: docs/libraries.md; `check` tells it of each",
        ),
        evidence=(
            "the methods here from the same start, three steps on the same latents, as tests/methods/adapters has it: "
            "SimVQ without rotation and `simvq` without bias, VectorQuantize and `rotation_trick`, without rotation "
            "and `vq_vae_ema`, ResidualVQ and `residual_vq`, LFQ and `lfq`: the same codes, and gradients to rounding",
        ),
        distributed="two processes with half batches equal one with the whole batch, but for LFQ and ResidualLFQ, "
        "whose mean over codes is divided by the number of processes without being summed over them",
    )

    def __init__(self, codebook_size: int, dim: int, **options: Any) -> None:
        options = check_options(f"`{self.name}`", self.options(options), options)
        if options["library"] != (installed := _installed()):
            raise UsageError(f"`library` says {_LIBRARY} {options['library']}, and {installed} is installed")
        super().__init__(codebook_size, dim, **options)
        chosen = options["class"]
        self.kind = _KINDS[chosen]
        given = {name: value for name, value in options.items() if name not in ("class", "library", "levels")}
        sizes = _split(chosen, codebook_size, options)
        if "levels" in options:
            given["levels"] = list(_levels(sizes[0], options))
        else:
            given["codebook_size"] = sizes[0] if len(set(sizes)) == 1 else sizes
        with _refusals(chosen):
            self.module = getattr(_library(), chosen)(dim=dim, **given)

    @classmethod
    def options(cls, given: Mapping[str, Any]) -> dict[str, inspect.Parameter]:
        """``class`` and ``library``, and the parameters of that class."""
        chosen = given.get("class", CLASSES[0])
        check_choice(f"`{cls.name}`: `class`", chosen, CLASSES)
        library, kind = _library(), _KINDS[chosen]
        found = {"class": _option("class", chosen), "library": _option("library", _installed())}
        for name in (chosen, *kind.passes_on):
            for option in options_of(getattr(library, name).__init__, {*_HIDDEN, *kind.fixes}).values():
                own = option.replace(default=kind.defaults.get(option.name, option.default))
                if _can_be_written(own):
                    found.setdefault(own.name, own)
        return found

    @classmethod
    def resolve_size(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """One size a level, with the product asked for; of FSQ the product of its levels, which may differ."""
        chosen = params.get("class", CLASSES[0])
        check_choice(f"`{cls.name}`: `class`", chosen, CLASSES)
        sizes = _split(chosen, super().resolve_size(codebook_size)[0], params)
        if "levels" in _KINDS[chosen].defaults:
            return (math.prod(_levels(sizes[0], params)),) * len(sizes)
        return sizes

    @classmethod
    def not_promised(cls, **params: Any) -> Mapping[str, str]:
        """What was found of the class, and of the options that are on."""
        chosen = {"class": CLASSES[0], **params}
        found: dict[str, str] = {}
        for name, option, words in _FOUND:
            if name == chosen["class"] and chosen.get(option):
                found |= words
        return found

    def quantize(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the module returns, its codes with the levels last."""
        found = self.module(latents)
        if isinstance(found, Tensor):
            codes = found
            output = self.look_up(codes.reshape(*latents.shape[:2], -1))
            return straight_through(latents, output) if self.training else output, codes, latents.new_zeros(())
        output, codes, *losses = found
        if codes.dim() == 4:  # [groups, B, N, levels]
            codes = codes.movedim(0, -2)
        return output, codes, losses[0] if losses else latents.new_zeros(())

    def look_up(self, codes: Tensor) -> Tensor:
        """Latents of codes as the module gives them back."""
        return self.kind.look_up(self.module, codes)


@cache
def _installed() -> str:
    """The library's version, read once: it stands in a file with its whole description."""
    return version(_LIBRARY)


def _split(chosen: str, codebook_size: int, options: Mapping[str, Any]) -> tuple[int, ...]:
    """What is asked of each level."""
    kind = _KINDS[chosen]
    counts = [check_count(f"`{name}`", options.get(name, kind.defaults.get(name, 1))) for name in kind.levels]
    sizes = split_size(codebook_size, math.prod(counts))
    if len(set(sizes)) > 1 and chosen != "ResidualVQ":
        raise UsageError(
            f"{chosen} needs levels of one size: a codebook size must be n^{len(sizes)} for a whole n, which "
            f"{codebook_size:,} is not"
        )
    if "LFQ" in chosen and (sizes[0] < 2 or sizes[0] & (sizes[0] - 1)):
        raise UsageError(f"{chosen} needs a power of two from 2 on as the size of a level, not {sizes[0]:,}")
    return sizes


def _levels(size: int, options: Mapping[str, Any]) -> tuple[int, ...]:
    """The levels of FSQ's channels: those given, where their product is about ``size``, else those of `fsq`."""
    levels = options.get("levels")
    if levels is None:
        return FSQ.channel_levels(size)
    if not isinstance(levels, list | tuple) or not levels:
        raise UsageError(f"`levels` must be a list of whole numbers, such as [8, 5, 5, 5], not {levels!r}")
    product = math.prod(check_count("a level of `levels`", level, least=2) for level in levels)
    if abs(product / size - 1) > TOLERANCE:
        raise UsageError(f"`levels` make {product:,} codes, which is not within 7 % of {size:,}")
    return tuple(levels)


def _library() -> ModuleType:
    """The library, imported when it is first asked for.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module("vector_quantize_pytorch")
    except ImportError as error:
        raise UsageError(
            f"`vector_quantize_pytorch` needs the package {_LIBRARY}, which is not installed (the extra `libraries`)"
        ) from error


@contextmanager
def _refusals(chosen: str) -> Iterator[None]:
    """Within it what the library refuses is a `UsageError`; most of its assertions have no words, but are telling."""
    try:
        yield
    except (AssertionError, TypeError, ValueError, RuntimeError) as error:
        if torch.get_default_device().type == "meta":  # it looked at values where there are none, and refuses nothing
            raise
        told = str(error) or traceback.extract_tb(error.__traceback__)[-1].line
        raise UsageError(f"{chosen} of {_LIBRARY} refuses these parameters: {told}") from error


def _option(name: str, default: Any) -> inspect.Parameter:
    """A parameter of any name; one of Python's keywords can only be positional."""
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY, default=default)


def _can_be_written(option: inspect.Parameter) -> bool:
    """Whether a suite can give it: it is neither a module nor a function, by its default and its annotation."""
    said = str(option.annotation)
    return _is_plain(option.default) and "Callable" not in said and "Module" not in said


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | dict)

"""What a method declares: that it can be built, its card, its sizes, its parameters."""

from functools import partial

from methods.contract.promises import check, is_accepted, require
from methods.contract.subject import Subject
from methods.core.base import Quantizer


@check("builds")
def builds(subject: Subject) -> None:
    """It is built from a codebook size, a dimension and parameters that all have defaults."""
    needed = [
        option.name
        for option in subject.cls.options(subject.params).values()
        if option.default is option.empty and option.name not in subject.params
    ]
    require(not needed, f"these parameters have no default: {', '.join(needed)}")
    assert isinstance(subject.built, Quantizer)


@check("card")
def card(subject: Subject) -> None:
    """Its card says the idea, the paper, what is trained and how memory grows; its knob is a parameter."""
    held = getattr(subject.cls, "card", None)
    require(held is not None, 'the class has no `card = Card(idea=..., paper=..., trains=..., memory="N·D + K·D")`')
    empty = [part for part in ("idea", "paper", "trains", "memory") if not getattr(held, part).strip()]
    require(not empty, f"the card leaves these empty: {', '.join(empty)}")
    version = subject.cls.version
    require(isinstance(version, int) and version >= 1, f"version must be an integer from 1 on, not {version!r}")
    knob = subject.cls.knob
    options = subject.cls.options(subject.params)
    require(knob is None or knob.parameter in options, f"the knob `{knob and knob.parameter}` is no parameter")


@check("schedule")
def schedule(subject: Subject) -> None:
    """Where it defines `anneal`, its card's `schedule` says what changes over a run."""
    said = getattr(getattr(subject.cls, "card", None), "schedule", "").strip()
    require(
        subject.cls.anneal is Quantizer.anneal or bool(said),
        "it defines `anneal`, and its card's `schedule` is empty: say what changes over a run, in shares of it",
    )


@check("sizes")
def sizes(subject: Subject) -> None:
    """The level sizes it has are those `resolve_size` gives before it is built; an impossible size is a UsageError."""
    promised = subject.cls.resolve_size(subject.codebook_size, **subject.params)
    level_sizes = subject.built.level_sizes
    require(promised == level_sizes, f"resolve_size gives {promised}, the built quantizer has {level_sizes}")
    require(bool(level_sizes) or not subject.cls.has_codes, "has_codes is True, yet there are no level sizes")
    impossible = [0] if subject.cls.has_codes else []
    impossible += [subject.cls.max_codebook_size + 1] if subject.cls.max_codebook_size is not None else []
    for size in impossible:
        accepted = is_accepted(partial(subject.cls.resolve_size, size, **subject.params))
        require(not accepted, f"codebook size {size} is accepted; it must raise a UsageError")


@check("wrong_parameters")
def wrong_parameters(subject: Subject) -> None:
    """A parameter it does not have, or a word that is no choice, is answered with a UsageError."""
    options = subject.cls.options(subject.params)
    wrong = {"no_such_parameter": 1} | {name: "no such choice" for name, o in options.items() if type(o.default) is str}
    for name, value in wrong.items():
        other = Subject(subject.cls, subject.codebook_size, subject.dim, {**subject.params, name: value})
        require(not is_accepted(other.create), f"{name}={value!r} is accepted; it must raise a UsageError")

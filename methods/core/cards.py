"""``methods/README.md`` from the cards: ``python -m methods.core.cards`` prints it."""

from methods.core.registry import available, get

_HEADING = """\
# Methods

Written by `python -m methods.core.cards` from the cards of the classes; `python -m benchmark show NAME` prints one with
its parameters. N: latents of a batch, K: codebook size, D: latent dimension. † not verified: compared with nothing yet.

| name | idea | what trains | memory beside the latents | evidence |
| --- | --- | --- | --- | --- |
"""

_MISSING = """
## Not here

What was looked for and could not be had in full, or is not built yet. Nothing of it was guessed.

- Group-VQ (arXiv 2510.13331): the code that the paper names was not found, and of its text only the opening; how
  codewords are grouped, mapped and started is not told there.
- HQ-VAE's RSQ (arXiv 2401.00365): the authors' code was not found, and of its text only the opening.
- NS-VQ, beside `trans_vq` in arXiv 2602.18896, and the NSVQ of arXiv 2606.11363 (neither is kin of `nsvq`): the
  released classes (CAIR-LAB-WFUSM/NS-VQ-TransVQ, NS_Trans_VQ_ImageNet/ldm/modules/quantizer.py) read an attribute that
  they do not have (`alpha`), and use their kernel, whose width is a function of the epoch, only where they are told no
  epoch.
- ProVQ (arXiv 2603.22304): no code was found, and of its text only the opening; how hardness grows is not told there.
- StableVQ (arXiv 2609.26774): the authors' repository (Tt-DAY/StableVQ) holds a project page and no code.
- VAEVQ (arXiv 2511.06863): its code is public (script-Yang/VAEVQ); a training step decodes two latents of an item, one
  drawn from a Gaussian and one quantized, and both reconstructions count, where a quantizer here gives the decoder one.
"""


def cards_markdown() -> str:
    """The page: a table of all methods, then paper, deviations and evidence of each, and what is missing."""
    names = [name for name in available() if get(name).__module__.startswith("methods.")]
    rows = [_row(name) for name in names]
    return _HEADING + "\n".join(rows) + "\n" + "".join(_section(name) for name in names) + _MISSING


def _row(name: str) -> str:
    card = get(name).card
    mark = "" if card.evidence else " †"
    checks = {0: "not verified", 1: "1 comparison"}.get(len(card.evidence), f"{len(card.evidence)} comparisons")
    cells = [f"[`{name}`](#{name}){mark}", card.idea, card.trains, card.memory, checks]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _section(name: str) -> str:
    method = get(name)
    card = method.card
    lines = [f"\n## {name}\n", f"{card.paper}. Authors' code: {card.code}.\n"]
    limits = {"at most": method.max_codebook_size, "on a CPU at most": method.max_codebook_size_cpu}
    sizes = "; ".join(f"{words} {limit:,} codes" for words, limit in limits.items() if limit is not None)
    if sizes:
        lines.append(f"Declared sizes: {sizes}.\n")
    if card.distributed:
        lines.append(f"Several processes: {card.distributed}.\n")
    if card.schedule:
        lines.append(f"Over a run: {card.schedule}.\n")
    for title, entries, empty in (
        ("Deviations", card.differences, "none known"),
        ("Evidence", card.evidence, "not verified"),
    ):
        lines += [f"{title}:", "", *(f"- {entry}" for entry in entries or (empty,)), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(cards_markdown(), end="")

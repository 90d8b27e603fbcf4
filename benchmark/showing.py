"""`list` and `show`, and the page of all entries: ``python -m benchmark.showing`` prints ``docs/reference.md``."""

import argparse

from benchmark.entries import KINDS, REQUIRED, Entry, Option, entries, method_entry, named, names
from methods.core.registry import resolve_params
from methods.core.usage import UsageError, did_you_mean

_WIDTH = 22
_HEADING = """\
# Everything that a suite can say

Written by `python -m benchmark.showing` from the code; `python -m benchmark show NAME` prints one entry, of a plug-in
too, and [methods/README.md](../methods/README.md) has the methods. Defaults are as a suite writes them.
"""


def list_all(options: argparse.Namespace) -> int:
    """List everything that a suite can name, each with a sentence."""
    print("\n".join(map(_list, KINDS)))
    return 0


def _list(kind: str) -> str:
    return "\n".join([kind, *(f"  {entry.name:<{_WIDTH}} {entry.sentence}" for entry in entries([kind]))])


def show(options: argparse.Namespace) -> int:
    """Print what stands behind a name: what it is, its options with defaults, an example; of a kind, its names."""
    found = named(options.name)
    if options.set and any(entry.kind == "methods" for entry in found):
        resolve_params(options.name, options.set)
        found = [method_entry(options.name, options.set)]
    elif options.set:
        raise UsageError(f"--set gives parameters of a method, which `{options.name}` is not")
    if not found and options.name in KINDS:
        print(_list(options.name))
        return 0
    if not found:
        hint = did_you_mean(options.name, [*(name for _, name in names()), *KINDS])
        raise UsageError(f"nothing is called `{options.name}`{hint}; `python -m benchmark list` has all names")
    print("\n\n".join(_shown(entry) for entry in found))
    return 0


def _shown(entry: Entry) -> str:
    parts = [f"{entry.name} ({entry.kind})", entry.text]
    if entry.options:
        lines = [
            f"  {option.name} = {option.default}" + (f"    {option.about}" if option.about else "")
            for option in entry.options
        ]
        parts.append("\n".join(["options:", *lines]))
    if entry.example:
        parts.append("\n".join(["example:", *(f"  {line}" for line in entry.example.splitlines())]))
    return "\n\n".join(parts)


def reference_page() -> str:
    """All entries but the methods, which have a page of their own, and the suites, which are files to be read."""
    kinds = [kind for kind in KINDS if kind not in ("methods", "suites")]
    return _HEADING + "".join(_section(kind) for kind in kinds)


def _section(kind: str) -> str:
    own = entries([kind])
    if not any(entry.options for entry in own):
        rows = [f"| `{entry.name}` | {_cell(entry.sentence)} |" for entry in own]
        return f"\n## {kind[0].upper()}{kind[1:]}\n\n| name | what it is |\n| --- | --- |\n" + "\n".join(rows) + "\n"
    return f"\n## {kind[0].upper()}{kind[1:]}\n" + "".join(_described(entry) for entry in own)


def _described(entry: Entry) -> str:
    """Its text as far as the errors, which are for who calls it from Python; then options and example."""
    text = entry.text.split("\n\nRaises:")[0].replace("``", "`")
    rows = [_row(option) for option in entry.options]
    table = "| option | default | |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n\n" if rows else ""
    return f"\n### {entry.name}\n\n{text}\n\n{table}```yaml\n{entry.example}\n```\n"


def _row(option: Option) -> str:
    default = option.default if option.default == REQUIRED else f"`{option.default}`"
    return f"| `{option.name}` | {_cell(default)} | {_cell(option.about)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`")


if __name__ == "__main__":
    print(reference_page(), end="")

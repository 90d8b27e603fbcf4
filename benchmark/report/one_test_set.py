"""Records of one data set whose test items differ: those of the most records are reported, the others named."""

import json
from collections import Counter
from typing import Any

from benchmark.records.run import tokenizer_of

Record = dict[str, Any]


def of_one_test_set(records: list[Record]) -> tuple[list[Record], list[str]]:
    """``records`` without those tested on other items than most of the same data set, and a sentence for each kind.

    Of the test items the hash counts; a record that is too old to have it stays.
    """
    counts = Counter((_dataset(record), tested) for record in records if (tested := tested_on(record)))
    usual: dict[str, str] = {}
    for (dataset, tested), _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        usual.setdefault(dataset, tested)
    kept, left_out = [], Counter[tuple[str, str]]()
    for record in records:
        dataset, tested = _dataset(record), tested_on(record)
        if tested and tested != usual[dataset]:
            left_out[dataset, tested] += 1
        else:
            kept.append(record)
    return kept, [_sentence(*kind, usual[kind[0]], count) for kind, count in sorted(left_out.items())]


def tested_on(record: Record) -> str | None:
    """The hash of the items that a run was tested on."""
    data = record["provenance"].get("data")
    found = data.get("test_sha256") if isinstance(data, dict) else None
    return found if isinstance(found, str) else None


def _dataset(record: Record) -> str:
    return json.dumps(tokenizer_of(record["config"]).get("dataset"), sort_keys=True)


def _sentence(dataset: str, tested: str, usual: str, count: int) -> str:
    name = json.loads(dataset)
    named = f" of `{name['name']}`" if isinstance(name, dict) and "name" in name else ""
    several = count > 1
    return (
        f"{count:,} record{'s' if several else ''} {'were' if several else 'was'} tested on other items{named} "
        f"(test_sha256 {tested[:8]}) than most ({usual[:8]}); {'they are' if several else 'it is'} in no table; "
        f"remove {'them' if several else 'it'} and run the suite again"
    )

"""`python -m benchmark check`: needs what `methods` needs, and none of the extras."""

import argparse

from benchmark.records.plain import one_line
from methods.contract import check_quantizer
from methods.core.registry import resolve_params


def check(options: argparse.Namespace) -> int:
    """Test that a method keeps the contract of a quantizer."""
    resolve_params(options.method, options.set)
    results = check_quantizer(options.method, params=options.set, thorough=True)
    for result in results:
        print(f"{'FAIL' if result.broken else 'ok  ' if result.passed else 'not '} {result.promise}")
        if result.message:
            print(f"     {one_line(result.message)}")
        if result.declared:
            print(f"     declared by the method: {result.declared}")
    kept = sum(result.passed for result in results)
    not_made = sum(not result.passed and not result.broken for result in results)
    said = f", {not_made} not made, as the method says" if not_made else ""
    print(f"{options.method}: {kept} of {len(results)} promises kept{said}")
    return int(any(result.broken for result in results))

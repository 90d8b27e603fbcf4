"""What a training step is to `torch.compile`."""

import warnings
from typing import Any

import torch

from methods.contract.promises import PromiseError, check, require, require_close_output
from methods.contract.subject import Subject
from methods.core.usage import in_words

_STEPS = 5
_MOST_GRAPHS = 2
"""One in which numbers of a schedule are fixed, and one in which they are not."""


@check("one_graph", thorough=True)
def one_graph(subject: Subject) -> str | None:
    """From the second step on training is one graph of `torch.compile`, made once, unless its class says otherwise."""
    quantizer = subject.build()
    if not quantizer.is_one_graph():
        return "it says that it is not"
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    try:
        with warnings.catch_warnings():  # of what PyTorch deprecates in itself
            warnings.simplefilter("ignore")
            results = [subject.train_step(quantizer, 0)]
            quantizer.compile(backend=backend)
            results += [subject.train_step(quantizer, step) for step in range(1, _STEPS)]
    except Exception as error:
        told, *_ = in_words(error).splitlines()
        raise PromiseError(f"compiled it fails: {told}; if that can't be helped, say `one_graph = False`") from error
    finally:
        torch.compiler.reset()
    for found, expected in zip(results, subject.course.results, strict=False):
        require_close_output(found, expected, "compiled it gives another output than as it is")
    told = f"{_STEPS - 1} steps are {len(graphs)} graphs, as it branches on values or is another in every step"
    require(len(graphs) <= _MOST_GRAPHS, f"{told}; if that is meant, say `one_graph = False`")
    return None

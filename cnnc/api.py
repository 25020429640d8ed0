"""The Python API: each function a few lines over the rooms below.

What a user did wrong comes as `cnnc.Error` (about a spec: `cnnc.SpecError`) with its diagnostics.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spec_lang.limits import DEFAULT_LIMITS, Limits
from spec_lang.source import Source

if TYPE_CHECKING:
    import torch

    from backends.base import Array, Runnable
    from cnnc.render.diff import Diff
    from cnnc.render.summary import Summary
    from compiler.graph import Graph
    from spec_lang.diagnostics import Diagnostic


def load(
    spec: str | os.PathLike[str],
    /,
    *,
    training: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    **parameters: Any,
) -> Graph:
    """The graph of a model.

    Args:
        spec: a path, `path:Model`, or the name of a shipped model.
        training: keep what stands in `training { ... }`.
        limits: how large a spec may be and become.
        parameters: values of the model's parameters: numbers, lists, tuples for sizes, words as strings.

    Raises:
        SpecError: with everything that is wrong.
    """
    from compiler.load import load as load_graph

    return load_graph(spec, parameters=parameters, training=training, limits=limits)


def check(spec: str | os.PathLike[str], *, strict: bool = False) -> list[Diagnostic]:
    """Everything that is wrong or suspicious in a spec, errors and warnings in order of place."""
    from compiler.load import check as check_spec

    return check_spec(spec, strict=strict)


def format(text: str, name: str = "<text>") -> str:
    """The text of a spec as `cnnc fmt` writes it.  Raises `SpecError` for a text that does not parse."""
    from spec_lang.formatter import format_source

    return format_source(Source(name, text))


def summary(graph: Graph, *, depth: int | None = None, sort: str = "order", batch: int = 1) -> Summary:
    """What each layer makes and costs; prints as text, in a terminal with rich, in a notebook as HTML.

    Args:
        graph: the model.
        depth: how many steps of a name are shown: what lies deeper is folded into one row.
        sort: `macs`, `params` or `memory`: the largest rows first; `order` is that in which they run.
        batch: images at a time, for the memory that inference and training need.
    """
    from cnnc.render.summary import summary_of
    from compiler.summary import SORTS

    if sort not in SORTS or (depth is not None and depth < 0) or batch < 1:
        raise ValueError(
            f"sort is one of {', '.join(SORTS)}, depth 0 or more, batch 1 or more; "
            f"not sort={sort!r}, depth={depth!r}, batch={batch!r}"
        )
    return summary_of(graph, depth=depth, sort=sort, batch=batch)


def diff(old: Graph, new: Graph) -> Diff:
    """What differs between two models: layers, totals, and which weights carry over; prints as text."""
    from cnnc.render.diff import diff_of

    return diff_of(old, new)


def runnable(
    graph: Graph,
    backend: str,
    weights: Mapping[str, Array],
    dtype: str = "float32",
    *,
    planned: bool = False,
) -> Runnable:
    """A model that runs: `run({"image": x})` gives its outputs by name.

    Args:
        graph: the model.
        backend: `numpy`, `torch`, `onnx` or one from outside.  Arrays have the batch in front, (N, C, H, W).
        weights: dotted name -> array.
        dtype: `float32`, or `float64` where the backend has it.
        planned: for inference alone, and faster: a plan that is made for the shapes of the inputs when
            they first come.  `numpy` has it; without it, `numpy` runs the file that `cnnc compile`
            writes, the reference.

    Raises:
        SpecError: E600 a layer that the backend lacks.
        BackendError: E601 a dtype and E616 a planned mode that it lacks, E604, E605, E608.
    """
    from backends.base import backend as find

    found = find(backend)
    found.check(graph, dtype)
    return (found.plan if planned else found.load)(graph, weights, dtype)


def generate(
    graph: Graph, backend: str, weights: Mapping[str, Array] | None = None
) -> dict[str, str | bytes]:
    """File name -> text or bytes, as `cnnc compile` writes them."""
    from backends.base import backend as find

    found = find(backend)
    found.check(graph)
    return found.generate(graph, weights)


def torch_module(graph: Graph, weights: Mapping[str, Array]) -> torch.nn.Module:
    """A `torch.nn.Module` for anybody's training loop; the spec's names are its `state_dict` keys."""
    from backends.torch.runnable import module

    return module(graph, weights)

"""Convolutional networks as text: check, count, compile, train, export.

    import cnnc
    graph = cnnc.load("vgg16", classes=10)
    print(cnnc.summary(graph))
    weights = cnnc.initial_weights(graph, seed=0)
    model = cnnc.runnable(graph, "numpy", weights)
    model.run({"image": images})["out"]

Everything is imported when it is first used, so that `import cnnc` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backends.base import Backend, Gradients, Runnable
    from cnnc.api import check, diff, format, generate, load, runnable, summary, torch_module
    from cnnc.data import open_data
    from cnnc.evaluation import evaluate, predict
    from cnnc.exporting import export
    from cnnc.training import train
    from cnnc.verification import Report, verify
    from cnnc.weights_io import load_weights, read_weights, save_weights
    from compiler.graph import Graph
    from compiler.initial import initial_weights
    from compiler.load import shipped
    from spec_lang.diagnostics import Diagnostic, Error, SpecError

__version__ = "0.1.0"

#: Public name -> the module that it lives in.
_HOMES = {
    # specs
    "load": "cnnc.api",
    "check": "cnnc.api",
    "format": "cnnc.api",
    "shipped": "compiler.load",
    "summary": "cnnc.api",
    "diff": "cnnc.api",
    "Graph": "compiler.graph",
    # weights
    "initial_weights": "compiler.initial",
    "load_weights": "cnnc.weights_io",
    "read_weights": "cnnc.weights_io",
    "save_weights": "cnnc.weights_io",
    # backends
    "runnable": "cnnc.api",
    "generate": "cnnc.api",
    "torch_module": "cnnc.api",
    "export": "cnnc.exporting",
    "verify": "cnnc.verification",
    "Report": "cnnc.verification",
    "Backend": "backends.base",
    "Runnable": "backends.base",
    "Gradients": "backends.base",
    # training
    "open_data": "cnnc.data",
    "train": "cnnc.training",
    "evaluate": "cnnc.evaluation",
    "predict": "cnnc.evaluation",
    # what goes wrong
    "Diagnostic": "spec_lang.diagnostics",
    "Error": "spec_lang.diagnostics",
    "SpecError": "spec_lang.diagnostics",
}

__all__ = [
    "Backend",
    "Diagnostic",
    "Error",
    "Gradients",
    "Graph",
    "Report",
    "Runnable",
    "SpecError",
    "__version__",
    "check",
    "diff",
    "evaluate",
    "export",
    "format",
    "generate",
    "initial_weights",
    "load",
    "load_weights",
    "open_data",
    "predict",
    "read_weights",
    "runnable",
    "save_weights",
    "shipped",
    "summary",
    "torch_module",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cnnc' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

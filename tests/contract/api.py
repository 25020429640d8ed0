"""The same requests through the Python API: what a command line asks for, asked of `import cnnc`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import cnnc


def call(argv: Sequence[str]) -> dict[str, Any]:
    """Codes and first place of what the API raises (or `check` gives), and the class of the exception."""
    from cnnc.cli.commands import application

    command = application.get_command(click.Context(application), argv[0])
    assert command is not None
    given = command.make_context(argv[0], list(argv[1:])).params
    try:
        diagnostics = _CALLS[argv[0]](given) or []
    except cnnc.Error as error:
        kind = "SpecError" if isinstance(error, cnnc.SpecError) else "Error"
        return {"kind": kind, **_told(error.diagnostics), "text": str(error)}
    return {"kind": "", **_told([d for d in diagnostics if d.is_error]), "text": ""}


def _told(diagnostics: Sequence[cnnc.Diagnostic]) -> dict[str, Any]:
    first = diagnostics[0] if diagnostics else None
    place = "" if first is None else str(first.span) if first.span is not None else first.place
    return {"codes": [d.code for d in diagnostics], "place": place}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _load(given: dict[str, Any], **more: Any) -> cnnc.Graph:
    settings = dict(one.split("=", 1) for one in given["settings"])
    return cnnc.load(given["spec"], **more, **{name: _value(text) for name, text in settings.items()})


def _weights(given: dict[str, Any], graph: cnnc.Graph) -> Any:
    if given["weights"] is None:
        return None
    rules = [tuple(rule.split("=")) for rule in given["rename"] if not rule.startswith("@")]
    tables = [rule[1:] for rule in given["rename"] if rule.startswith("@")]
    return cnnc.load_weights(given["weights"], graph, partial=given["partial"], adapt=given["adapt"],
                             rename=tables[0] if tables else rules)


def _check(given: dict[str, Any]) -> list[cnnc.Diagnostic]:
    return [d for spec in given["specs"] for d in cnnc.check(spec, strict=given["strict"])]


def _fmt(given: dict[str, Any]) -> None:
    for name in given["files"]:
        # Text that is no UTF-8 never becomes a string.
        cnnc.format(Path(name).read_text(encoding="utf-8-sig"), name)


def _summary(given: dict[str, Any]) -> None:
    assert str(cnnc.summary(_load(given, training=given["training"])))


def _diff(given: dict[str, Any]) -> None:
    old, new = (_load({**given, "spec": spec}, training=given["training"]) for spec in (given["a"], given["b"]))
    assert str(cnnc.diff(old, new))


def _compile(given: dict[str, Any]) -> None:
    graph = _load(given)
    assert cnnc.generate(graph, given["backend"], _weights(given, graph))


def _init(given: dict[str, Any]) -> None:
    graph = _load(given)
    cnnc.save_weights(given["output"], cnnc.initial_weights(graph, seed=given["seed"]), graph)


def _export(given: dict[str, Any]) -> None:
    graph = _load(given)
    weights = _weights(given, graph)
    cnnc.export(graph, cnnc.initial_weights(graph) if weights is None else weights, given["output"],
                preprocess=given["preprocess"])


def _verify(given: dict[str, Any]) -> None:
    graph = _load(given)
    assert cnnc.verify(graph, _weights(given, graph), onnx=given["onnx_file"],
                       backends=given["backends"] or None)


def _train(given: dict[str, Any]) -> None:
    from cnnc.data import open_data
    from cnnc.training import train

    graph = _load(given, training=True)
    train(graph, open_data(given["data"], graph, given["seed"]), backend=given["backend"],
          epochs=given["epochs"], batch=given["batch"], weights=_weights(given, graph), out=given["output"],
          resume=given["resume"])


def _eval(given: dict[str, Any]) -> None:
    from cnnc.data import open_data
    from cnnc.evaluation import evaluate

    graph = _load(given)
    evaluate(graph, _weights(given, graph), open_data(given["data"], graph, given["seed"]), given["backend"])


def _predict(given: dict[str, Any]) -> None:
    from cnnc.evaluation import predict

    graph = _load(given)
    predict(graph, _weights(given, graph), given["images"], given["backend"])


_CALLS: dict[str, Any] = {
    "check": _check, "fmt": _fmt, "summary": _summary, "diff": _diff, "compile": _compile, "init": _init, "export": _export,
    "verify": _verify, "train": _train, "eval": _eval, "predict": _predict,
}

"""Every diagnostic code, with the page that `cnnc explain` and the error reference print.

One file a family; each ends with its `CODES`.
"""

from __future__ import annotations

from spec_lang.codes import (
    data,
    evaluation,
    limits,
    names,
    onnx,
    output,
    preprocess,
    shapes,
    text,
    training,
    warnings,
    weights,
)
from spec_lang.codes.base import Code

CODES: dict[str, Code] = {
    code.name: code
    for family in (
        text,
        names,
        shapes,
        preprocess,
        limits,
        evaluation,
        weights,
        onnx,
        data,
        training,
        output,
        warnings,
    )
    for code in family.CODES
}

__all__ = ["CODES", "Code"]

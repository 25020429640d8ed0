"""The limits of what is read, evaluated and allocated: one number each, with the reason.

They keep a hostile or mistaken input from costing more than a moment.  Whoever enforces one says
which in its message; every number can be raised by the caller.
"""

from __future__ import annotations

from spec_lang.frozen import frozen


@frozen
class Limits:
    """Each field is the largest value that is still accepted."""

    # ---- text (enforced by spec_lang)
    source_bytes: int = 256 * 1024
    """Size of one source file, in bytes of UTF-8."""
    tokens: int = 100_000
    """Words, numbers, strings and marks in one file, without comments."""
    nesting: int = 200
    """Brackets and braces that are open at one place, counted together."""
    identifier_length: int = 64
    """Characters of a name."""
    integer_digits: int = 18
    """Digits of an integer literal, so that it fits 64 bits."""
    expression_depth: int = 250
    """Operators, calls and subscripts nested in one expression; also the links of an `else if` ladder."""

    # ---- imports
    imported_files: int = 256
    """Files that one spec reads, directly and through others."""
    import_depth: int = 32
    """Length of a chain of imports."""

    # ---- evaluation
    steps: int = 10_000_000
    """Steps of compile-time evaluation, some 0.2 microseconds each; a table of 200,000 numbers takes half."""
    layers: int = 100_000
    """Layers after all loops are expanded."""

    # ---- tensors
    dimension: int = 2**31 - 1
    """One extent of a tensor."""
    elements: int = 2**48
    """Elements of one tensor, when a spec is checked."""
    allocation_bytes: int = 16 * 1024**3
    """Bytes to allocate at once (and never more than there is free memory)."""

    # ---- files from elsewhere
    decompression_ratio: int = 100
    """Size of what comes out of a compressed file over the size of the file."""
    decompressed_bytes: int = 4 * 1024**3
    """Size of what comes out of a compressed file."""
    image_pixels: int = 89_478_485
    """Pixels of one image."""
    onnx_bytes: int = 2 * 1024**3
    """Size of an ONNX file."""
    onnx_nodes: int = 1_000_000
    """Nodes of an ONNX graph."""
    onnx_depth: int = 32
    """Depth of subgraphs of an ONNX graph."""


DEFAULT_LIMITS = Limits()

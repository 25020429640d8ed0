"""E6: backends and ONNX."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code("E600", "layer beyond this backend", """
The backend cannot compute this layer, or not with these arguments.  Nothing was written.
Other backends may have it: `cnnc compile --backend numpy` covers every layer.

ONNX files hold sizes that are known when they are written.  So where H or W is free, an
adaptive pool needs `size = 1`, and a convolution cannot round up.
"""),
    Code("E601", "float type beyond this backend", """
The backend does not compute in this float type.  onnxruntime, which runs ONNX files, has no
double-precision convolution, so `onnx` is float32 alone; NumPy and PyTorch have float64 too.
"""),
    Code("E602", "no gradients here", """
The backend only infers: it gives no gradients and does not run in training mode.
`numpy` and `torch` do.
"""),
    Code("E603", "backend does not train", """
The backend only infers.  Train with `--backend torch` or `--backend numpy`; the weights
serve every backend.
"""),
    Code("E604", "unknown backend", """
No installed backend has this name.  Backends are found through entry points of the group
`cnnc.backends`; `numpy`, `torch` and `onnx` come with cnnc.
"""),
    Code("E605", "package of a backend missing", """
The backend's own framework is not installed.  The extras of the same names bring it:
`pip install "cnnc[torch]"`, `pip install "cnnc[onnx]"`.
"""),
    Code("E606", "input does not fit the model", """
An array (or image) that was given to a model is missing, has another rank, another shape, or a
type that is not numbers.  Arrays carry the batch in front: `[3, 224, 224]` in a spec is
`(N, 3, 224, 224)` here.  All inputs that share the batch have the same N.
"""),
    Code("E607", "free extent does not work out", """
The model leaves an extent free (`H = 224`), and at the size that came a layer does not work
out: rows would be lost under `round = exact`, a window is larger than its input, or two sides
of a join differ.  The layer is named; choose another size, or `round = floor` in the spec.

NumPy and PyTorch code checks this itself.  An ONNX file cannot: the check is made by cnnc before
it runs the file, and other programs should keep to sizes that work.
"""),
    Code("E608", "weights do not fit the graph", """
A weight that the model declares is missing from what was given, or has another shape.
"""),
    Code("E609", "export setting does not fit", """
The export was asked to do what the model has nothing for: to put `preprocess` in front of a model
without such steps, or to store class labels of another number than the first output has.
"""),
    Code("E610", "ONNX file beyond 2 GiB", """
An ONNX file is one protobuf message, which cannot exceed 2 GiB (2,147,483,647 bytes); weights beyond
that would need external data files, which cnnc does not write.  Nothing was written.
"""),
    Code("E611", "exported file refused", """
`onnx.checker` or onnxruntime refuses the file that was just made.  This is a fault of cnnc, not
of the spec.  The file was not kept.
"""),
    Code("E612", "exported file computes something else", """
onnxruntime's results for the exported file differ from those of the NumPy backend by more than
rounding explains.  This is a fault of cnnc or of onnxruntime, not of the spec.  The file was not kept.
"""),
    Code("E613", "not a usable ONNX file", """
The file is not a regular file, is larger than 2 GiB, or is not an ONNX model that onnxruntime
can load.
"""),
    Code("E614", "ONNX file is of another model", """
The file's inputs and outputs are not those of the spec: names, element types or fixed sizes differ.
"""),
    Code("E615", "nothing to compare", """
Comparing needs two that compute the same model.  With only NumPy installed there is one; install
`cnnc[torch]` or `cnnc[onnx]`.
"""),
    Code("E616", "no planned mode", """
`planned = True` asks for a model that is arranged for fast inference.  The NumPy backend has one; the
others run as fast as they do without it.
"""),
    Code("E617", "weights beyond float32", """
With these weights the network's numbers overflow in float32, or lose all their digits: NumPy, too,
computes something else in float32 than in float64.  An ONNX file computes in float32, so none was
written.
"""),
)

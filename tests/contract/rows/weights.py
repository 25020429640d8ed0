"""Files of weights: safetensors, PyTorch's and ONNX files that lie, are cut, or would run code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.contract import files
from tests.contract.base import SMALL, Content, Row, row
from tests.contract.rows.paths import fifo, folder, link

NAN = files.NUMBERS[:-4] + b"\0\0\xc0\x7f"
TWICE = b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
GAP = {**files.TENSORS, "fc1.bias": {"dtype": "F32", "shape": [3], "data_offsets": [772, 784]}}
OVERLAP = {**files.TENSORS, "fc1.bias": {"dtype": "F32", "shape": [3], "data_offsets": [764, 776]}}


def weights(name: str, content: Content, codes: str, place: str = "w.safetensors", file: str = "w.safetensors",
            ) -> Row:
    """A file of weights for `SMALL`, compared on the backends."""
    return row(name, f"verify a.cnn -w {file}", {"a.cnn": SMALL, file: content}, codes, place)


def torch(name: str, content: Content, codes: str) -> Row:
    return weights(name, content, codes, "w.pth", "w.pth")


def onnx(name: str, content: Content, codes: str, place: str = "w.onnx") -> Row:
    return row(name, "verify a.cnn --onnx w.onnx", {"a.cnn": SMALL, "w.onnx": content}, codes, place)


def header(header: Any) -> bytes:
    return files.safetensors(header, b"")


def _external(graph: Any) -> None:
    tensor = graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def _code(graph: Any) -> None:
    graph.node[0].op_type = "Os"


def _renamed(graph: Any) -> None:
    graph.output[0].name = graph.node[-1].output[0] = "z\x1b[31m"


ROWS = [
    # ---- safetensors
    weights("weights that are fine", files.safetensors(), "", ""),
    weights("an empty file of weights", b"", "E516", "w.safetensors:0"),
    weights("a header's length cut short", b"\x10\0\0", "E516", "w.safetensors:3"),
    weights("a header of 2^63 bytes", files.safetensors(length=1 << 63), "E516", "w.safetensors:0"),
    weights("a header longer than the file", files.safetensors(length=5000), "E516", "w.safetensors:0"),
    weights("a header of no bytes", b"\0" * 8, "E516", "w.safetensors:8"),
    weights("a header that is no JSON", header(b"{]"), "E516", "w.safetensors:9"),
    weights("a header that is no UTF-8", header(b'{"\xff":1}'), "E516", "w.safetensors:10"),
    weights("a header that is a list", header(b"{}"[:0] + b"[{}]"), "E516", "w.safetensors:8"),
    weights("a header nested 100,000 deep", header(b'{"a":' + b"[" * 100_000), "E516", "w.safetensors:8"),
    weights("a header with a name twice", header(TWICE), "E516", "w.safetensors:8"),
    weights("a header with NaN", header(b'{"a":NaN}'), "E516", "w.safetensors:8"),
    weights("a header with a long number", header(b'{"a":' + b"9" * 10_000 + b"}"), "E516", "w.safetensors:8"),
    weights("a header whose metadata is a number", header({"__metadata__": {"a": 1}}), "E516", "w.safetensors:8"),
    weights("a tensor without a shape", header({"a": {"dtype": "F32", "data_offsets": [0, 0]}}), "E516",
            "w.safetensors:8"),
    weights("a tensor of an unknown type", files.changed(dtype="F33"), "E516", "w.safetensors:8"),
    weights("a tensor whose type is a list", files.changed(dtype=[]), "E516", "w.safetensors:8"),
    weights("a tensor of another shape than its bytes", files.changed(shape=[3, 65]), "E516",
            f"w.safetensors:{8 + len(json.dumps(files.TENSORS))}"),
    weights("a shape below zero", files.changed(shape=[-3, -64]), "E516", "w.safetensors:8"),
    weights("a shape of floats", files.changed(shape=[3.0, 64.0]), "E516", "w.safetensors:8"),
    weights("a shape of truths", files.changed(shape=[True, 192]), "E516", "w.safetensors:8"),
    weights("a shape whose product overflows", files.changed(shape=[2**32, 2**32]), "E516",
            f"w.safetensors:{8 + len(json.dumps({**files.TENSORS, 'fc1.weight': {**files.TENSORS['fc1.weight'], 'shape': [2**32, 2**32]}}))}"),
    weights("a shape of 100 axes", files.changed(shape=[1] * 100), "E516", "w.safetensors:8"),
    weights("offsets beyond the file", files.changed(data_offsets=[0, 2**40]), "E516", "w.safetensors:8"),
    weights("offsets backwards", files.changed(data_offsets=[768, 0]), "E516", "w.safetensors:8"),
    weights("offsets that overlap", files.safetensors(OVERLAP, files.NUMBERS[:776]), "E516",
            f"w.safetensors:{8 + len(json.dumps(OVERLAP)) + 764}"),
    weights("a gap between tensors", files.safetensors(GAP, files.NUMBERS + b"\0" * 4), "E516",
            f"w.safetensors:{8 + len(json.dumps(GAP)) + 772}"),
    weights("bytes behind the last tensor", files.safetensors(data=files.NUMBERS + b"PK"), "E516",
            f"w.safetensors:{8 + len(json.dumps(files.TENSORS)) + 780}"),
    weights("numbers cut short", files.safetensors(data=files.NUMBERS[:-1]), "E516", "w.safetensors:8"),
    weights("a name of 3,000 characters", header({"a" * 3000: {"dtype": "F32", "shape": [0],
            "data_offsets": [0, 0]}}), "E516", "w.safetensors:8"),
    weights("a name of escapes", header({"\x1b[31m\n": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}),
            "E510 E510 E511"),
    weights("a counter of escapes", files.safetensors({**files.TENSORS, "\x1b[2J\r.num_batches_tracked":
            {"dtype": "F32", "shape": [0], "data_offsets": [780, 780]}}), "", ""),
    weights("integers for weights", files.changed(dtype="I32"), "E513"),
    weights("bytes for weights", files.safetensors({**files.TENSORS, "fc1.bias": {"dtype": "U8", "shape": [12],
            "data_offsets": [768, 780]}}), "E513"),
    weights("weights of 8 bits", files.safetensors({"fc1.weight": {"dtype": "F8_E4M3", "shape": [3, 64],
            "data_offsets": [0, 192]}, "fc1.bias": {"dtype": "F8_E4M3", "shape": [3], "data_offsets": [192, 195]}},
            files.NUMBERS[:195]), "E513 E513"),
    weights("a weight that is not a number", files.safetensors(data=NAN), "E514"),
    weights("weights of another model", header({"a": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}),
            "E510 E510 E511"),
    *(row(f"{name}, of weights", f"verify a.cnn -w w.safetensors {options}",
          {"a.cnn": SMALL, "w.safetensors": files.safetensors(), "t.txt": table}, codes, place)
      for name, options, table, codes, place in [
          ("rules that rename", "--rename @t.txt", "fc1 = fc2\n\nfc2 = fc1\n", "E519", "t.txt:3:1"),
          ("a rule that fits nothing", "--rename fc2=fc1", "", "E519", "w.safetensors"),
          ("a rule with an empty step", "--rename fc1.=fc2", "", "E519", "w.safetensors"),
          ("rules that make one of two names", "--rename fc1.bias=fc1.weight", "", "E519", "w.safetensors"),
          ("a table without an equals sign", "--rename @t.txt", "fc1 -> fc2\nfc1\n", "E519 E519", "t.txt:1:1"),
          ("a table that is not there", "--rename @u.txt", "", "E519", "u.txt"),
          ("a table of bytes", "--rename @t.txt", b"fc1 = \xff", "E519", "t.txt:6"),
          ("a table of a million lines", "--rename @t.txt", "fc1=fc2\n" * 1_000_000, "E452", "t.txt"),
          ("too many rules", "--rename @t.txt", "a=b\n" * 100_000, "E519", "t.txt:1:1"),
          ("a rule of many stars", "--rename " + "*." * 200 + "x=" + "*." * 200 + "y", "", "E519", "w.safetensors"),
          ("no other number of classes", "--adapt head", "", "E520", "w.safetensors"),
          ("no fully connected layer", "--adapt fc_to_conv", "", "E520", "w.safetensors"),
          ("no image of three channels", "--adapt bgr_to_rgb", "", "E520", "w.safetensors"),
          ("nothing that is taken", "--partial --rename =x", "", "E521", "w.safetensors"),
      ]),
    weights("a weight of another shape", files.changed(shape=[64, 3]), "E512"),
    weights("an extent of 400 digits", files.changed(shape=[10**400]), "E516", "w.safetensors:8"),
    weights("offsets of floats", files.changed(data_offsets=[0.0, 768.0]), "E516", "w.safetensors:8"),
    weights("three offsets", files.changed(data_offsets=[0, 768, 780]), "E516", "w.safetensors:8"),
    weights("a header with something behind it", header(json.dumps(files.TENSORS).encode() + b"x"), "E516",
            f"w.safetensors:{8 + len(json.dumps(files.TENSORS))}"),
    weights("a name that is half a character", header(
        b'{"\\ud800":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), "E510 E510 E511"),
    weights("50,000 counters that nobody has", header({f"t{i}.num_batches_tracked": {"dtype": "F32", "shape": [0],
            "data_offsets": [0, 0]} for i in range(50_000)}), "E510 E510"),
    row("weights that overflow are not exported", "export a.cnn -w w.safetensors -o w.onnx", {"a.cnn": SMALL,
        "w.safetensors": files.safetensors(data=files.LARGE)}, "E617", "", says="does not work in float32"),
    weights("a bit that flipped in a number", files.flipped(-1), "E517"),
    weights("a bit that flipped in the checksum", files.flipped(60), "E517"),
    weights("class names that are no list", files.ours({"kind": "weights", "classes": "{"}), "E516"),
    weights("a FIFO of weights", fifo, "E515"),
    weights("a folder of weights", folder, "E515"),
    weights("a device of weights", link("/dev/zero"), "E515"),
    weights("weights that are text", b"hello, world, this is text", "E516", "w.safetensors:0"),
    weights("weights of many gigabytes", lambda path: _sparse(path), "E452"),
    row("weights that are not there", "verify a.cnn -w w.safetensors", {"a.cnn": SMALL}, "E515", "w.safetensors"),
    # ---- PyTorch's files
    torch("a pickle that runs code", files.pickled_code, "E515"),
    torch("an archive that runs code", files.archived_code, "E515"),
    torch("an archive that inflates", files.deflated, "E453"),
    torch("a list nested 200,000 deep", files.nested_list, "E515"),
    torch("a tensor of stride zero", files.torch_file("{'fc1.weight': torch.ones(1).as_strided((2**20, 2**20), (0, 0))}"),
          "E518"),
    torch("a tensor of overlapping strides", files.torch_file(
        "{'fc1.weight': torch.ones(66).as_strided((3, 64), (1, 1)), 'fc1.bias': torch.ones(3)}"), "E518"),
    torch("a whole module", files.torch_file("torch.nn.Linear(64, 3)"), "E515"),
    torch("a list of tensors", files.torch_file("[torch.ones(3, 64)]"), "E515"),
    torch("numbers by their position", files.torch_file("{0: torch.ones(3, 64)}"), "E515"),
    torch("a number among tensors", files.torch_file("{'fc1.weight': torch.ones(3, 64), 'epoch\\x1b[31m': 3}"),
          "E515"),
    torch("complex weights", files.torch_file(
        "{'fc1.weight': torch.ones(3, 64, dtype=torch.complex64), 'fc1.bias': torch.ones(3)}"), "E513"),
    torch("sparse weights", files.torch_file(
        "{'fc1.weight': torch.ones(3, 64).to_sparse(), 'fc1.bias': torch.ones(3)}"), "E513"),
    torch("quantised weights", files.torch_file("{'fc1.weight': torch.quantize_per_tensor(torch.ones(3, 64), 0.1, 0,"
                                                " torch.qint8), 'fc1.bias': torch.ones(3)}"), "E513"),
    torch("weights without numbers", files.torch_file(
        "{'fc1.weight': torch.ones(3, 64, device='meta'), 'fc1.bias': torch.ones(3)}"), "E513"),
    torch("nested weights", files.torch_file(
        "{'fc1.weight': torch.nested.nested_tensor([torch.ones(3), torch.ones(4)]), 'fc1.bias': torch.ones(3)}"), "E513"),
    torch("a tar archive", files.tarred, "E515"),
    torch("an archive that would write elsewhere", files.escaping, "E515"),
    torch("a string of 2 GiB in a pickle", files.pickled(b"\x80\x02X\xff\xff\xff\x7fx"), "E515"),
    torch("tuples that double in a pickle", files.pickled(files.LAUGHS), "E515"),
    torch("a storage larger than its bytes", files.lying, "E515"),
    torch("a tensor that was expanded", files.torch_file(
        "{'fc1.weight': torch.ones(1, 64).expand(3, 64), 'fc1.bias': torch.ones(3)}"), "E518"),
    torch("an empty tensor with an extent of 2^60", files.torch_file(
        "{'fc1.weight': torch.empty(0, 2**60), 'fc1.bias': torch.ones(3)}"), "E512"),
    torch("a name of a pickle that is half a character", files.torch_file(
        "{'\\ud800\\n': torch.ones(3, 64), 'fc1.bias': torch.ones(3)}"), "E510 E511"),
    torch("truths for weights", files.torch_file(
        "{'fc1.weight': torch.ones(3, 64, dtype=torch.bool), 'fc1.bias': torch.ones(3)}"), "E513"),
    torch("an infinite weight", files.torch_file(
        "{'fc1.weight': torch.full((3, 64), float('inf')), 'fc1.bias': torch.ones(3)}"), "E514"),
    torch("a float64 beyond float32", files.torch_file(
        "{'fc1.weight': torch.full((3, 64), 1e300, dtype=torch.float64), 'fc1.bias': torch.ones(3)}"), "E514"),
    torch("an archive cut short", lambda path: _cut(path), "E515"),
    torch("an empty PyTorch file", b"", "E515"),
    torch("a text as a PyTorch file", b"hello", "E515"),
    # ---- ONNX
    onnx("an ONNX file that is text", b"hello, world", "E613"),
    onnx("an empty ONNX file", b"", "E613"),
    onnx("an ONNX file cut short", lambda path: _cut_onnx(path), "E613"),
    onnx("a FIFO as an ONNX file", fifo, "E613"),
    onnx("a folder as an ONNX file", folder, "E613"),
    onnx("a device as an ONNX file", link("/dev/zero"), "E613"),
    onnx("an ONNX file of many gigabytes", lambda path: _sparse(path), "E613"),
    onnx("weights in other files", files.onnx_file(graph=_external), "E613"),
    onnx("a node that nobody knows", files.onnx_file(graph=_code), "E613"),
    onnx("an output of escapes", files.onnx_file(graph=_renamed), "E614"),
]  # fmt: skip


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(20 << 30)


def _cut(path: Path) -> None:
    make = files.torch_file("{'fc1.weight': torch.ones(3, 64), 'fc1.bias': torch.ones(3)}")
    assert callable(make)
    make(path)
    path.write_bytes(path.read_bytes()[:-300])


def _cut_onnx(path: Path) -> None:
    make = files.onnx_file()
    assert callable(make)
    make(path)
    path.write_bytes(path.read_bytes()[:-300])

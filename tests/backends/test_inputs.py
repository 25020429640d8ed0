"""What is asked of the arrays that a model is given, whatever the backend."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.base import BackendError, backend
from backends.inputs import check_inputs, types_at
from compiler.declare import Position, Word
from compiler.graph import Graph, GraphBuilder
from compiler.ops import OPS
from compiler.ops.base import TensorType


def model() -> Graph:
    b = GraphBuilder("m")
    kind = TensorType((3, 8, 12), (False, True, True))
    image = b.input("image", kind, free={"H": 1, "W": 2})
    mask = b.input("mask", TensorType((1,)))
    boxes = b.input("boxes", TensorType((4,), rows="boxes"))
    y = b.apply(OPS["conv"], [image], path="conv1", filters=2, kernel=3, stride=2, pad=Word("half"))[0]
    y = b.apply(OPS["maxpool"], [y], path="pool1", kernel=2)[0]
    return b.build({"y": y, "mask_out": b.apply(OPS["relu"], [mask], path="r1")[0],
                    "boxes_out": b.apply(OPS["relu"], [boxes], path="r2")[0]})


def arrays(**changes: object) -> dict[str, np.ndarray]:
    made = {"image": np.zeros((2, 3, 8, 12)), "mask": np.zeros((2, 1)), "boxes": np.zeros((5, 4))}
    return {name: array for name, array in {**made, **changes}.items() if array is not None}  # type: ignore[misc]


@pytest.mark.parametrize("changes", [
    {}, {"image": np.zeros((2, 3, 16, 4))}, {"boxes": np.zeros((0, 4))}, {"mask": np.zeros((2, 1), np.uint8)},
    {"mask": np.zeros((2, 1), bool)},
])
def test_what_fits_gives_the_rows(changes: dict[str, np.ndarray]) -> None:
    given = arrays(**changes)
    assert check_inputs(model(), given) == {"batch": 2, "boxes": len(given["boxes"])}


@pytest.mark.parametrize(("changes", "code", "words"), [
    ({"image": None}, "E606", "`image` is missing"),
    ({"imgae": np.zeros(1)}, "E606", "did you mean `image`?"),
    ({"image": np.zeros((3, 8, 12))}, "E606", "(3, 8, 12), not (N, 3, any (8), any (12))"),
    ({"image": np.zeros((2, 4, 8, 12))}, "E606", "(2, 4, 8, 12)"),
    ({"image": np.zeros((2, 3, 0, 12))}, "E606", "(2, 3, 0, 12)"),
    ({"mask": np.zeros((2, 2))}, "E606", "(2, 2), not (N, 1)"),
    ({"mask": np.zeros((3, 1))}, "E606", "3 rows where another has 2"),
    ({"mask": np.full((2, 1), "x")}, "E606", "not numbers"),
    ({"mask": np.zeros((2, 1), complex)}, "E606", "not numbers"),
    ({"image": np.zeros((2, 3, 9, 12))}, "E607", "`pool1`"),
    ({"image": np.zeros((2, 3, 1, 12))}, "E607", "`pool1`"),
])
def test_what_does_not_fit_is_refused_with_the_numbers(changes: dict[str, np.ndarray], code: str,
                                                       words: str) -> None:
    with pytest.raises(BackendError) as caught:
        check_inputs(model(), arrays(**changes))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert words in " ".join((diagnostic.message, *diagnostic.help))


def test_one_name_of_a_free_extent_is_one_size() -> None:
    b = GraphBuilder("m")
    x = b.input("x", TensorType((3, 8), (False, True)), free={"L": 1})
    y = b.input("y", TensorType((3, 8), (False, True)), free={"L": 1})
    graph = b.build({"z": b.apply(OPS["add"], [x, y], path="add1")[0]})
    assert check_inputs(graph, {"x": np.zeros((1, 3, 5)), "y": np.zeros((1, 3, 5))}) == {"batch": 1}
    with pytest.raises(BackendError) as caught:
        check_inputs(graph, {"x": np.zeros((1, 3, 5)), "y": np.zeros((1, 3, 6))})
    assert caught.value.diagnostics[0].code == "E606"
    assert "L = 6 where another has 5" in caught.value.diagnostics[0].message


def test_types_at_other_sizes_follow_the_layers() -> None:
    graph = model()
    types = types_at(graph, {"image": (3, 16, 4), "mask": (1,), "boxes": (4,)})
    assert types[graph.outputs["y"]].shape == (2, 4, 1)
    assert types[graph.outputs["boxes_out"]].rows == "boxes"


def normalised() -> Graph:
    b = GraphBuilder("m")
    y = b.apply(OPS["fc"], [b.input("x", TensorType((3,)))], path="fc1", label="fc1", features=2)[0]
    return b.build({"y": b.apply(OPS["batchnorm"], [y], path="bn", label="bn")[0]})


NUMBERS = {"fc1.weight": np.ones((2, 3)), "fc1.bias": np.zeros(2), "bn.weight": np.ones(2), "bn.bias": np.zeros(2),
           "bn.running_mean": np.zeros(2), "bn.running_var": np.ones(2)}


@pytest.mark.parametrize("name", ["numpy", "torch", "onnx"])
@pytest.mark.parametrize(("wrong", "words"), [
    ({"fc1.bias": None}, "`fc1.bias` [2] is missing"),
    ({"fc1.bias": np.zeros(3)}, "`fc1.bias` is [3], not [2]"),
    ({"bn.running_var": np.zeros((1, 2))}, "`bn.running_var` is [1, 2], not [2]"),
])
def test_every_backend_refuses_weights_that_do_not_fit(name: str, wrong: dict[str, object], words: str) -> None:
    weights = {k: v for k, v in {**NUMBERS, **wrong}.items() if v is not None}
    with pytest.raises(BackendError) as caught:
        backend(name).load(normalised(), weights)  # type: ignore[arg-type]
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E608" and words in diagnostic.message


@pytest.mark.parametrize("name", ["numpy", "torch", "onnx"])
@pytest.mark.parametrize("x", [[[1, 2, 3], [4, 5, 6]], torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])])
def test_every_backend_takes_what_numpy_makes_an_array_of(name: str, x: object) -> None:
    out = backend(name).load(normalised(), NUMBERS).run({"x": x})["y"]  # type: ignore[dict-item]
    assert np.allclose(out, [[6, 6], [15, 15]], rtol=1e-4)


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_batchnorm_is_not_trained_on_one_number(name: str) -> None:
    model = backend(name).load(normalised(), NUMBERS)
    with pytest.raises(BackendError, match="`bn` cannot train on one row"):
        model.run({"x": np.ones((1, 3))}, training=True)
    assert model.run({"x": np.ones((2, 3))}, training=True)["y"].shape == (2, 2)


def sized_like() -> Graph:
    b = GraphBuilder("m")
    a, small = b.input("a", TensorType((2, 6, 6))), b.input("small", TensorType((3, 3, 3)))
    size = b.apply(OPS["conv"], [small], path="c", label="c", filters=2, kernel=1)[0]
    y = b.apply(OPS["adaptiveavgpool"], [a, size], path="p", like=Position(1))[0]
    return b.build({"y": b.apply(OPS["conv"], [y], path="d", label="d", filters=2, kernel=1)[0]})


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_what_is_used_for_its_size_alone_has_a_gradient_of_zeros(name: str) -> None:
    graph = sized_like()
    xs = {"a": np.ones((2, 2, 6, 6)), "small": np.ones((2, 3, 3, 3))}
    weights = {key: np.ones(weight.shape) for key, weight in graph.weights.items()}
    got = backend(name).load(graph, weights, "float64").gradients(xs, {"y": np.ones((2, 2, 3, 3))})
    assert list(got.weights) == list(graph.weights) and list(got.inputs) == list(graph.inputs)
    for array, shape in ((got.weights["c.weight"], (2, 3, 1, 1)), (got.weights["c.bias"], (2,)),
                         (got.inputs["small"], (2, 3, 3, 3))):
        assert array.shape == shape and not array.any()
    assert got.weights["d.weight"].all() and got.inputs["a"].all()

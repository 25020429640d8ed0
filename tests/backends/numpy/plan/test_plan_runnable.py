"""The planned mode as its users meet it: inputs, outputs, errors, calls from several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cnnc
from backends.base import BackendError
from backends.numpy.plan import PlannedRunnable, runnable
from backends.numpy.plan.runnable import KEPT
from backends.numpy.runnable import NumpyRunnable
from cnnc.verification import varied_weights
from compiler.graph import Graph
from compiler.load import load
from spec_lang.source import Source
from tests.backends.numpy import graphs
from tests.backends.numpy.plan.kit import close, poison, tiny_tiles

NET = """model net {
    input image: [3, H = 12, W = 14]
    conv(8, 3, pad = 1) -> batchnorm -> relu as features -> maxpool(2, round = floor) -> globalavgpool -> flatten
    output features
    fc(5)
    output logits
}"""


def made(text: str = NET, dtype: str = "float64") -> tuple[Graph, PlannedRunnable, NumpyRunnable]:
    graph = load(Source("net.cnn", text))
    weights = varied_weights(graph)
    return graph, PlannedRunnable(graph, weights, dtype), NumpyRunnable(graph, weights, dtype)


def image(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_outputs_belong_to_the_caller() -> None:
    _, model, _ = made()
    first = model.run({"image": image(2, 3, 12, 14)})
    kept = {name: array.copy() for name, array in first.items()}
    second = model.run({"image": image(2, 3, 12, 14, seed=1)})
    poison(model)
    for name, array in first.items():
        assert np.array_equal(array, kept[name])
        assert array.flags.owndata and array.flags.writeable and array.flags.c_contiguous
        assert not np.array_equal(array, second[name])


def test_inputs_are_left_as_they_are() -> None:
    _, model, _ = made("model net {\n input image: [3, 4, 5]\n relu -> tanh\n output y\n}")
    given = image(2, 3, 4, 5)
    given.setflags(write=False)
    before = given.copy()
    assert not np.array_equal(model.run({"image": given})["y"], before)
    assert np.array_equal(given, before)


def test_an_output_that_is_an_input_is_a_copy_of_it() -> None:
    _, model, _ = made("model net {\n input image: [3, 4, 5]\n identity\n output y\n tanh\n output z\n}")
    given = image(2, 3, 4, 5)
    got = model.run({"image": given})["y"]
    assert np.array_equal(got, given) and not np.may_share_memory(got, given)


@pytest.mark.parametrize(
    "given",
    [
        image(2, 3, 14, 12).swapaxes(2, 3),
        image(4, 3, 12, 14)[::2],
        image(2, 6, 24, 28)[:, ::-2, 1::2, ::2],
        np.asfortranarray(image(2, 3, 12, 14)),
        image(2, 3, 12, 14).astype(np.float32),
        (100 * image(2, 3, 12, 14)).astype(np.int8),
        image(2, 3, 12, 14) > 0,
        image(2, 3, 12, 14).astype(">f8"),
    ],
    ids=["swapped axes", "every second row", "backwards", "Fortran", "float32", "integers", "booleans", "big endian"],
)  # fmt: skip
def test_inputs_of_any_order_and_kind_of_number(given: np.ndarray) -> None:
    _, model, reference = made()
    wanted = reference.run({"image": given})
    for name, array in model.run({"image": given}).items():
        close(array, wanted[name], 1e-12)


def test_batches_and_sizes_in_any_order_with_more_of_them_than_are_kept() -> None:
    _, model, reference = made()
    shapes = [(n, 3, h, w) for n in (1, 2, 5) for h, w in ((12, 14), (9, 20), (2, 2))]
    assert len(shapes) > KEPT
    for shape in (*shapes, *shapes[::-1], *shapes[::2]):
        given = {"image": image(*shape, seed=sum(shape))}
        wanted = reference.run(given)
        for name, array in model.run(given).items():
            close(array, wanted[name], 1e-10)
        poison(model)
    assert len(model.plans()) == KEPT


def test_plans_that_take_much_memory_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _, model, reference = made()
    monkeypatch.setattr(runnable, "KEPT_BYTES", 1)
    for rows in (1, 2, 1):
        given = {"image": image(rows, 3, 12, 14)}
        close(model.run(given)["logits"], reference.run(given)["logits"], 1e-10)
        assert len(model.plans()) == 1


def test_no_rows_at_all() -> None:
    _, model, reference = made()
    wanted = reference.run({"image": image(0, 3, 12, 14)})
    got = model.run({"image": image(0, 3, 12, 14)})
    assert {name: array.shape for name, array in got.items()} == {n: a.shape for n, a in wanted.items()}


def test_a_large_batch_runs_in_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_tiles(monkeypatch, rows=True)
    _, model, reference = made()
    given = {"image": image(7, 3, 12, 14)}
    wanted = reference.run(given)
    for name, array in model.run(given).items():
        close(array, wanted[name], 1e-10)
    assert max(len(plan._inputs["image"]) for plan in model.plans()) < 7


def test_calls_from_several_threads_wait_for_one_another() -> None:
    _, model, reference = made()
    inputs = [{"image": image(1 + i % 3, 3, 12, 14, seed=i)} for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(model.run, inputs))
    for given, result in zip(inputs, results, strict=True):
        for name, array in reference.run(given).items():
            close(result[name], array, 1e-10)


def test_weights_come_back_as_they_were_given() -> None:
    graph, model, _ = made(dtype="float32")
    for name, array in varied_weights(graph).items():
        assert np.array_equal(model.weights()[name], array) and model.weights()[name].dtype == np.float32


ERRORS = {
    "training": ({"image": image(2, 3, 12, 14)}, True, "E602"),
    "an unknown input": ({"picture": image(2, 3, 12, 14)}, False, "E606"),
    "no input": ({}, False, "E606"),
    "another shape": ({"image": image(2, 4, 12, 14)}, False, "E606"),
    "texts": ({"image": np.full((2, 3, 12, 14), "a")}, False, "E606"),
    "a size at which a layer does not work out": ({"image": image(2, 3, 1, 14)}, False, "E607"),
}


@pytest.mark.parametrize("what", ERRORS)
def test_mistakes_are_told(what: str) -> None:
    inputs, training, code = ERRORS[what]
    _, model, _ = made()
    for _ in range(2):  # nothing of the first try is kept
        with pytest.raises(BackendError) as caught:
            model.run(inputs, training=training)
        assert caught.value.diagnostics[0].code == code


def test_weights_that_do_not_fit_are_told() -> None:
    graph, _, _ = made()
    weights = varied_weights(graph)
    del weights["fc1.bias"]
    with pytest.raises(BackendError) as caught:
        PlannedRunnable(graph, weights)
    assert caught.value.diagnostics[0].code == "E608"


def test_gradients_are_refused() -> None:
    _, model, _ = made()
    with pytest.raises(BackendError) as caught:
        model.gradients({"image": image(2, 3, 12, 14)}, {})
    assert caught.value.diagnostics[0].code == "E602"


def test_weights_of_training_may_be_missing() -> None:
    graph = graphs.with_head()
    weights = {n: a for n, a in graphs.weights_of(graph).items() if not n.startswith("aux")}
    inputs = graphs.inputs_of(graph)
    wanted = NumpyRunnable(graph, weights, "float64").run(inputs)["logits"]
    close(PlannedRunnable(graph, weights, "float64").run(inputs)["logits"], wanted, 1e-12)


def test_the_interface_reaches_it() -> None:
    graph = cnnc.load("lenet5")
    weights = cnnc.initial_weights(graph)
    model = cnnc.runnable(graph, "numpy", weights, planned=True)
    assert isinstance(model, PlannedRunnable)
    assert isinstance(cnnc.runnable(graph, "numpy", weights), NumpyRunnable)
    for other in ("torch", "onnx"):
        with pytest.raises(cnnc.Error) as caught:
            cnnc.runnable(graph, other, weights, planned=True)
        assert caught.value.diagnostics[0].code == "E616"
    with pytest.raises(cnnc.Error) as caught:
        cnnc.runnable(graph, "numpy", weights, "float16", planned=True)
    assert caught.value.diagnostics[0].code == "E601"


def test_predictions_are_made_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = cnnc.load("lenet5")
    weights = cnnc.initial_weights(graph)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32), np.uint8)
    seen: list[object] = []
    run = PlannedRunnable.run
    monkeypatch.setattr(PlannedRunnable, "run", lambda self, *a, **k: seen.append(self) or run(self, *a, **k))
    ours, theirs = (cnnc.predict(graph, weights, [pixels], name)[0].classes for name in ("numpy", "torch"))
    assert seen
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert [share for _, share in ours] == pytest.approx([share for _, share in theirs], rel=1e-4)

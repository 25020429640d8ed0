"""The training loop: exact to the byte, resumable at any step, the same on both backends."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from backends.base import BackendError
from cnnc import training, weights_io
from cnnc.data import open_data
from cnnc.data.base import ArrayImages, DataError, Dataset, Split
from cnnc.evaluation import Tally, evaluate, predict
from cnnc.files import OutputError
from cnnc.training import Epoch, Step, batches, last_path, train
from compiler.load import load
from compiler.training import Adam, Constant, Cosine, Sgd, TrainingError, TrainSettings
from spec_lang.source import Source
from tests.mnist import mnist

# Batch normalisation has state that the loss does not show, and dropout has random numbers.
TEXT = """model m(classes = 3) { input image: [1, 6, 7]
    preprocess { rescale(1 / 255) }
    conv(4, 3x3) -> batchnorm -> relu -> dropout(0.2) -> maxpool(2x2, round = ceil)
    flatten -> fc(classes) TAIL
}
"""
GRAPH = load(Source("test.cnn", TEXT.replace("TAIL", "")))
BACKENDS = ["numpy", "torch"]


def dataset(count=50, seed=0, classes=3):
    """Images that are bright in the rows of their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    labels[:classes] = range(classes)
    images = rng.integers(0, 120, (count, 1, 6, 7)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 100
    return images, labels.astype(np.int64)


def data(classes=3):
    parts = [Split(ArrayImages(images), labels) for images, labels in (dataset(50, 0), dataset(20, 1))]
    return Dataset("stripes", *parts, tuple("abcdefgh"[:classes]))


def settings(**changes):
    return replace(
        TrainSettings(
            optimizer=Sgd(lr=0.05, momentum=0.9, decay=1e-3), schedule=Cosine(warmup=0.5), epochs=3, batch=16
        ),
        **changes,
    )


def with_settings(**changes):
    return replace(GRAPH, settings=settings(**changes))


class Stop(Exception):
    """Ends a training from its progress callback."""


def stop_after(steps):
    seen = []

    def callback(event):
        if isinstance(event, Step):
            seen.append(event)
            if len(seen) == steps:
                signal.raise_signal(signal.SIGINT)
    return callback


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_runs_write_the_same_bytes(tmp_path, backend):
    graph = with_settings(optimizer=Adam(lr=0.01))
    for name in ("a", "b"):
        train(graph, data(), backend=backend, epochs=2, out=tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert last_path(tmp_path / "a").read_bytes() == last_path(tmp_path / "b").read_bytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_another_seed_trains_another_network(backend):
    first, second = (train(with_settings(), data(), backend=backend, epochs=1, seed=seed) for seed in (0, 1))
    assert not np.array_equal(first.weights["fc1.weight"], second.weights["fc1.weight"])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("optimizer", [Sgd(lr=0.05, momentum=0.9, nesterov=True, decay=1e-3), Adam(lr=0.01)],
                         ids=["sgd", "adam"])
# An epoch has four steps: within an epoch, at its end, at the start of the next, at the very end.
@pytest.mark.parametrize("steps", [2, 4, 5, 12])
def test_a_training_that_is_interrupted_goes_on_exactly(tmp_path, backend, optimizer, steps):
    graph = with_settings(optimizer=optimizer)
    whole = train(graph, data(), backend=backend, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(graph, data(), backend=backend, out=tmp_path / "part", progress=stop_after(steps))
    rest = train(graph, data(), backend=backend, out=tmp_path / "part", resume=last_path(tmp_path / "part"))
    # Weights, running statistics, optimiser, random numbers and metrics are all in the file.
    assert last_path(tmp_path / "part").read_bytes() == last_path(tmp_path / "whole").read_bytes()
    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()
    assert rest.epochs == whole.epochs and rest.best == whole.best
    assert all(np.array_equal(rest.weights[name], whole.weights[name]) for name in whole.weights)
    images = np.stack(data().test.images.take(range(5)))
    outputs = [predict(graph, result.weights, list(images), backend) for result in (rest, whole)]
    assert outputs[0] == outputs[1]


def test_a_signal_waits_for_the_step_and_handlers_come_back(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    events = []

    def callback(event):
        events.append(event)
        if len(events) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(with_settings(), data(), backend="numpy", out=tmp_path / "x", progress=callback)
    assert len(events) == 3 and last_path(tmp_path / "x").exists() and not (tmp_path / "x").exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_resume_into_other_settings_is_refused(tmp_path):
    train(with_settings(), data(), backend="numpy", out=tmp_path / "x")
    last = last_path(tmp_path / "x")
    for changed in ({"graph": with_settings(batch=8)}, {"seed": 1}, {"epochs": 5}, {"backend": "torch"},
                    {"freeze": "conv1"}):
        arguments = {"graph": with_settings(), "backend": "numpy", **changed}
        graph = arguments.pop("graph")
        with pytest.raises(TrainingError) as caught:
            train(graph, data(), resume=last, **arguments)
        assert caught.value.diagnostics[0].code == "E806"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_training_with_frozen_weights_goes_on_exactly(tmp_path, backend):
    graph = with_settings()
    freeze = "conv1, batchnorm1"
    train(graph, data(), backend=backend, freeze=freeze, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(graph, data(), backend=backend, freeze=freeze, out=tmp_path / "part", progress=stop_after(6))
    last = last_path(tmp_path / "part")
    train(graph, data(), backend=backend, freeze=[freeze], out=tmp_path / "part", resume=last)
    assert last.read_bytes() == last_path(tmp_path / "whole").read_bytes()


def test_with_a_constant_rate_epochs_can_be_added(tmp_path):
    graph = with_settings(schedule=Constant())
    train(graph, data(), backend="numpy", epochs=1, out=tmp_path / "x")
    more = train(
        graph, data(), backend="numpy", epochs=3, out=tmp_path / "x", resume=last_path(tmp_path / "x")
    )
    once = train(graph, data(), backend="numpy", epochs=3, out=tmp_path / "y")
    assert [e.test for e in more.epochs] == [e.test for e in once.epochs]
    assert all(np.array_equal(more.weights[name], once.weights[name]) for name in once.weights)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_saved_best_is_the_epoch_that_did_best_and_evaluates_to_its_accuracy(tmp_path, backend):
    result = train(with_settings(metrics=("accuracy", "top5")), data(), backend=backend, out=tmp_path / "x")
    accuracies = [epoch.test["accuracy"] for epoch in result.epochs]
    assert result.best == accuracies.index(max(accuracies)) and result.accuracy == max(accuracies)
    assert [e.best for e in result.epochs] == [
        a > max([-1.0, *accuracies[:i]]) for i, a in enumerate(accuracies)
    ]
    loaded = weights_io.read_weights(tmp_path / "x", GRAPH)
    assert loaded.classes == ("a", "b", "c")
    measured = evaluate(GRAPH, loaded.weights, data(), backend, classes=loaded.classes)
    assert measured.accuracy == max(accuracies) and measured.top5 == 1.0
    assert measured.loss == pytest.approx(result.epochs[result.best].test["loss"], rel=1e-5)
    assert measured.confusion.sum() == 20 and np.trace(measured.confusion) == round(20 * measured.accuracy)


def test_the_backends_train_to_the_same_numbers_where_nothing_is_random():
    graph = load(Source("test.cnn", TEXT.replace("TAIL", "").replace("-> dropout(0.2) ", "")))
    graph = replace(graph, settings=settings())
    ours, theirs = (train(graph, data(), backend=backend) for backend in BACKENDS)
    for one, other in zip(ours.epochs, theirs.epochs, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-4)
    for name in ours.weights:
        assert ours.weights[name] == pytest.approx(theirs.weights[name], rel=1e-3, abs=1e-4)


def test_every_image_is_seen_once_an_epoch_in_another_order_and_the_last_batch_is_smaller():
    seen = []

    class Spy:
        def step(self, images, labels, rate):
            seen.append(labels.tolist())
            return 1.0, np.zeros((len(labels), 3))

        def predict(self, images):
            return np.zeros((len(images), 3))

        def weights(self):
            return {}

        def state(self):
            return {}

    run = training._Training(GRAPH, data(), settings(), "numpy", 0, None, None)
    run.trainer = Spy()
    with training._Deferred() as interruption:
        run.epochs(interruption)
    assert [len(labels) for labels in seen] == [16, 16, 16, 2] * 3
    epochs = [sum(seen[i : i + 4], []) for i in (0, 4, 8)]
    assert [sorted(labels) for labels in epochs] == [sorted(data().train.labels.tolist())] * 3
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize(("images", "size", "steps"), [
    (8, 4, 2), (9, 4, 2), (10, 4, 3), (3, 4, 1), (1, 4, 1), (5, 1, 5), (1, 1, 1), (3, 2, 1), (4, 4, 1), (5, 4, 1)])
def test_a_single_image_that_is_left_over_joins_the_last_batch(images, size, steps):
    assert batches(images, size) == steps


@pytest.mark.parametrize("backend", BACKENDS)
def test_batchnorm_of_features_trains_where_one_image_is_left_over(backend):
    graph = load(Source("test.cnn", TEXT.replace("TAIL", "-> batchnorm")))
    seen = []
    result = train(graph, data(), backend=backend, batch=7, epochs=1, progress=seen.append)
    assert [e.step for e in seen if isinstance(e, Step)] == list(range(7))
    assert all(np.isfinite(array).all() for array in result.weights.values())


def test_progress_tells_every_step_and_every_epoch():
    events = []
    train(with_settings(epochs=2, schedule=Cosine()), data(), backend="numpy", progress=events.append)
    steps = [e for e in events if isinstance(e, Step)]
    assert [(e.epoch, e.step) for e in steps] == [(epoch, step) for epoch in range(2) for step in range(4)]
    assert steps[0].rate == 0.05 and steps[4].rate == pytest.approx(0.025)
    epochs = [e for e in events if isinstance(e, Epoch)]
    assert [e.epoch for e in epochs] == [0, 1] and {e.epochs for e in events} == {2}
    assert epochs[0].accuracy == steps[3].accuracy
    assert epochs[0].loss == pytest.approx(np.average([e.loss for e in steps[:4]], weights=[16, 16, 16, 2]))


@pytest.mark.parametrize("tail", ["", "-> softmax", "-> logsoftmax"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_softmax_at_the_end_changes_nothing(backend, tail):
    graph = load(Source("test.cnn", TEXT.replace("TAIL", tail)))
    result = train(replace(graph, settings=settings()), data(), backend=backend, epochs=1)
    plain = train(with_settings(), data(), backend=backend, epochs=1)
    assert all(np.array_equal(result.weights[name], plain.weights[name]) for name in plain.weights)
    images = list(np.stack(data().test.images.take(range(3))))
    assert predict(graph, result.weights, images, backend) == predict(GRAPH, plain.weights, images, backend)


def test_training_starts_from_given_weights():
    start = train(with_settings(), data(), backend="numpy", epochs=2).weights
    tiny = with_settings(optimizer=Sgd(lr=1e-12, momentum=0.0), schedule=Constant())
    after = train(tiny, data(), backend="numpy", epochs=1, weights=start).weights
    assert all(np.allclose(after[name], start[name], atol=1e-6) for name in start if "running" not in name)


def code(error, call, *arguments, **named):
    with pytest.raises(error) as caught:
        call(*arguments, **named)
    return caught.value.diagnostics[0].code


def test_a_training_that_diverges_is_stopped():
    graph = with_settings(optimizer=Sgd(lr=1e30, momentum=0.0), schedule=Constant())
    with np.errstate(all="ignore"):
        assert code(TrainingError, train, graph, data(), backend="numpy") == "E804"


@pytest.mark.parametrize(("text", "wanted"), [
    ("conv(3, 3x3)", "E820"),
    ("flatten -> fc(3) as y\n    output a\n    y -> relu\n    output b", "E820"),
])
def test_a_model_that_is_no_classifier_is_refused(text, wanted):
    graph = load(Source("test.cnn", f"model m {{ input image: [1, 6, 7]\n    {text}\n}}"))
    assert code(BackendError, train, graph, data(), backend="numpy") == wanted


@pytest.mark.parametrize(("named", "error", "wanted"), [
    ({"epochs": 0}, TrainingError, "E801"), ({"batch": 0}, TrainingError, "E801"),
    ({"backend": "onnx"}, BackendError, "E603"), ({"backend": "jax"}, BackendError, "E604"),
    ({"out": "/dev/null"}, OutputError, "E901"), ({"out": "no/such/folder/x"}, OutputError, "E903"),
])
def test_a_wrong_argument_is_refused_before_anything_runs(named, error, wanted):
    assert code(error, train, GRAPH, data(), **{"backend": "numpy", **named}) == wanted


def test_data_with_other_classes_is_refused():
    assert code(DataError, train, GRAPH, data(classes=4), backend="numpy") == "E704"
    weights = train(with_settings(), data(), backend="numpy", epochs=1).weights
    assert code(DataError, evaluate, GRAPH, weights, data(), "numpy", classes=("a", "c", "b")) == "E705"


# ---- evaluation


def test_the_metrics_are_those_of_a_small_table():
    tally = Tally(7)
    logits = np.array(
        [[9, 0, 0, 0, 0, 0, 0], [7, 6, 5, 4, 3, 2, 1], [7, 6, 5, 4, 3, 2, 1], [0, 0, 0, 0, 0, 0, 1.0]]
    )
    tally.add(logits, np.array([0, 4, 5, 6]))
    numbers = tally.metrics()
    assert (numbers["accuracy"], numbers["top5"]) == (0.5, 0.75)
    wanted = [-math.log(math.exp(row[label]) / np.exp(row).sum())
              for row, label in zip(logits, [0, 4, 5, 6], strict=True)]
    assert numbers["loss"] == pytest.approx(np.mean(wanted))
    assert tally.confusion[4, 0] == tally.confusion[5, 0] == tally.confusion[6, 6] == 1


@pytest.mark.parametrize("backend", [*BACKENDS, "onnx"])
def test_predictions_name_the_classes_most_probable_first(backend, tmp_path):
    weights = train(with_settings(), data(), backend="numpy").weights
    image = data().test.images.take([0])[0]
    from PIL import Image

    Image.fromarray(image[0]).save(tmp_path / "x.png")
    [said] = predict(GRAPH, weights, [tmp_path / "x.png"], backend, top=2, classes=("a", "b", "c"))
    [by_array] = predict(GRAPH, weights, [image], backend, top=3)
    assert said.source == str(tmp_path / "x.png") and len(said.classes) == 2
    assert said.classes[0][1] >= said.classes[1][1]
    assert sum(share for _, share in by_array.classes) == pytest.approx(1.0)
    assert [name for name, _ in by_array.classes][:2] == [str("abc".index(name)) for name, _ in said.classes]


# ---- real digits


def lenet():
    return load("lenet5")


@pytest.mark.parametrize("backend", BACKENDS)
def test_lenet_learns_the_digits_quickly(backend):
    graph = lenet()
    assert train(graph, open_data("digits", graph), backend=backend, epochs=2).accuracy >= 0.87


@pytest.mark.long
@pytest.mark.parametrize("backend", BACKENDS)
def test_lenet_reaches_97_percent_on_the_digits(backend):
    graph = lenet()
    assert train(graph, open_data("digits", graph), backend=backend).accuracy >= 0.97


@pytest.mark.long
@pytest.mark.mnist
@pytest.mark.skipif(mnist() is None, reason="no MNIST: set CNNC_MNIST to the folder of its files")
@pytest.mark.parametrize(("backend", "epochs", "least"), [("torch", 2, 0.985), ("numpy", 1, 0.97)])
def test_lenet_learns_mnist(backend, epochs, least):
    graph, folder = lenet(), mnist()
    assert folder is not None
    assert train(graph, open_data(folder, graph), backend=backend, epochs=epochs).accuracy >= least

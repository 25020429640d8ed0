"""The settings of a `train` section: binding, mistakes, and the learning rate over time."""

from __future__ import annotations

import math

import pytest
import torch

from compiler.declare import Called, Fault, Faults, Given, Word
from compiler.freezing import Pattern
from compiler.training import (
    Adam,
    Constant,
    Cosine,
    CrossEntropy,
    Sgd,
    TrainSettings,
    adjusted,
    bind_settings,
    learning_rate,
)


def called(name, *values, **named):
    return Called(name, (*(Given(None, v) for v in values), *(Given(k, v) for k, v in named.items())))


def test_without_settings_the_defaults_hold():
    assert bind_settings([]) == TrainSettings()
    assert TrainSettings().described == (
        "train(loss = crossentropy(smoothing = 0.0), optimizer = sgd(lr = 0.01, momentum = 0.9, decay = 0.0,"
        " nesterov = false), schedule = cosine(warmup = 0.0), epochs = 10, batch = 64, metrics = [accuracy],"
        " freeze = [])")


@pytest.mark.parametrize(("name", "value", "stored"), [
    ("loss", Word("crossentropy"), CrossEntropy()),
    ("loss", called("crossentropy", smoothing=0.1), CrossEntropy(smoothing=0.1)),
    ("optimizer", called("sgd", lr=0.02, momentum=0, decay=5e-4), Sgd(lr=0.02, momentum=0.0, decay=5e-4)),
    ("optimizer", called("sgd", 0.5), Sgd(lr=0.5)),
    ("optimizer", called("adam"), Adam()),
    ("optimizer", called("adam", lr=1e-4, beta1=0.8, beta2=0.9, eps=1e-6, decay=0.1),
     Adam(lr=1e-4, beta1=0.8, beta2=0.9, eps=1e-6, decay=0.1)),
    ("schedule", Word("constant"), Constant()),
    ("schedule", called("cosine", warmup=1), Cosine(warmup=1.0)),
    ("schedule", called("cosine", warmup=0.5), Cosine(warmup=0.5)),
    ("epochs", 3, 3),
    ("batch", 1, 1),
    ("metrics", (Word("accuracy"), Word("top5")), ("accuracy", "top5")),
    ("metrics", Word("top5"), ("top5",)),
    ("metrics", called("accuracy"), ("accuracy",)),
    ("freeze", "conv1", (Pattern.read("conv1"),)),
    ("freeze", ("all  but fc", "fc.bias , x"), (Pattern.read("all but fc"), Pattern.read("fc.bias, x"))),
    ("freeze", "none", (Pattern("none", ()),)),
    ("freeze", (), ()),
])
def test_a_setting_is_bound(name, value, stored):
    assert getattr(bind_settings([(name, value, None)]), name) == stored


@pytest.mark.parametrize(("name", "value", "code", "says"), [
    ("optimiser", called("sgd"), "E800", "optimizer"),
    ("augment", None, "E800", "augment"),
    ("balance", Word("sampler"), "E800", "balance"),
    ("test_augment", None, "E800", "test_augment"),
    ("loss", called("mse"), "E801", "crossentropy"),
    ("loss", called("crossentropy", weights=Word("median_frequency")), "E310", "weights"),
    ("loss", called("crossentropy", smoothing=1.0), "E312", "below 1"),
    ("optimizer", called("sdg"), "E801", "did you mean `sgd`"),
    ("optimizer", called("sgd", lr=0), "E312", "above 0"),
    ("optimizer", called("sgd", momentum=1.0), "E312", "below 1"),
    ("optimizer", called("sgd", nesterov=1), "E312", "true or false"),
    ("optimizer", called("adam", beta3=0.5), "E310", "beta3"),
    ("optimizer", called("sgd", 0.1, 0.9), "E314", "lr"),
    ("schedule", called("step"), "E801", "cosine"),
    ("schedule", called("cosine", warmup=-1), "E312", "at least 0"),
    ("epochs", 0, "E801", "from 1"),
    ("epochs", 2.0, "E801", "2.0"),
    ("epochs", True, "E801", "true"),
    ("epochs", None, "E801", "braces"),
    ("batch", Word("all"), "E801", "all"),
    ("metrics", (Word("accuracy"), Word("accuracy")), "E801", "once"),
    ("metrics", (Word("top1"),), "E801", "top1"),
    ("metrics", "accuracy", "E801", "accuracy"),
    ("freeze", called("fc"), "E801", 'in quotes: "fc"'),
    ("freeze", (Word("fc"),), "E801", 'in quotes: "fc"'),
    ("freeze", 3, "E801", "not 3"),
    ("freeze", "", "E801", 'not ""'),
    ("freeze", "all but", "E801", 'not "all but"'),
    ("freeze", "fc conv1", "E801", 'not "fc conv1"'),
    ("freeze", "conv1..bn", "E801", 'not "conv1..bn"'),
    ("freeze", "**.a.**", "E801", "one `**`"),
    ("freeze", "all except fc", "E801", "all but fc"),
    ("freeze", "all, fc", "E801", '"all.*"'),
    ("freeze", ("none", "fc"), "E801", "stands alone"),
    ("freeze", ("fc",) * 65, "E801", "at most 64 patterns, not 65"),
    ("freeze", ", ".join(f"fc{i}" for i in range(65)), "E801", "at most 64 paths in one pattern, not 65"),
])
def test_a_setting_that_cannot_be_is_refused_at_its_place(name, value, code, says):
    with pytest.raises(Faults) as caught:
        bind_settings([("batch" if name != "batch" else "epochs", 2, "fine"), (name, value, "here")])
    [(place, fault)] = caught.value.faults
    assert (place, fault.code) == ("here", code)
    assert says in fault.message + " ".join(fault.help)


def test_all_mistakes_are_reported_at_once_each_at_its_place():
    with pytest.raises(Faults) as caught:
        bind_settings([("epochs", 0, 1), ("batch", 2, 2), ("batch", 3, 3), ("rate", 1, 4)])
    assert [(place, fault.code) for place, fault in caught.value.faults] == [
        (1, "E801"),
        (3, "E802"),
        (4, "E800"),
    ]


@pytest.mark.parametrize(("items", "place"), [
    ([("optimizer", called("sgd", momentum=0, nesterov=True), "o")], "o"),
    ([("schedule", called("cosine", warmup=3), "s"), ("epochs", 3, "e")], "s"),
    ([("schedule", called("cosine", warmup=10), "s")], "s"),
])
def test_settings_that_contradict_each_other_are_refused(items, place):
    with pytest.raises(Faults) as caught:
        bind_settings(items)
    [(found, fault)] = caught.value.faults
    assert (found, fault.code) == (place, "E803")


def test_epochs_and_batch_can_be_given_from_outside():
    settings = TrainSettings(schedule=Cosine(warmup=2.0), epochs=10)
    assert adjusted(settings, epochs=20, batch=8) == TrainSettings(
        schedule=Cosine(warmup=2.0), epochs=20, batch=8
    )
    assert adjusted(settings, epochs=1).schedule == Cosine(warmup=0.5)
    assert adjusted(settings) == settings
    with pytest.raises(Fault) as caught:
        adjusted(settings, batch=0)
    assert caught.value.code == "E801"


def test_what_is_frozen_can_be_given_from_outside_and_replaces_the_settings():
    settings = TrainSettings(freeze=(Pattern.read("conv1"),))
    assert adjusted(settings).freeze == settings.freeze
    assert adjusted(settings, freeze="all but fc").freeze == (Pattern("all but fc", ("fc",), True),)
    assert adjusted(settings, freeze=["a", "b"]).described.endswith('freeze = ["a", "b"])')
    with pytest.raises(Fault) as caught:
        adjusted(settings, freeze=["a b"])
    assert caught.value.code == "E801"


def test_a_constant_schedule_keeps_the_rate():
    settings = TrainSettings(optimizer=Adam(lr=3e-4), schedule=Constant(), epochs=2)
    assert {learning_rate(settings, step, 10) for step in range(20)} == {3e-4}


def test_a_cosine_is_pytorchs():
    settings = TrainSettings(optimizer=Sgd(lr=0.02), schedule=Cosine(), epochs=3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.02)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=21)
    for step in range(21):
        assert learning_rate(settings, step, 7) == pytest.approx(peer.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        peer.step()


def test_a_warm_up_rises_in_a_line_and_then_the_cosine_falls_to_zero():
    settings = TrainSettings(optimizer=Sgd(lr=0.1), schedule=Cosine(warmup=1.0), epochs=3)
    rates = [learning_rate(settings, step, 4) for step in range(12)]
    assert rates[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert rates[4:] == pytest.approx([0.05 * (1 + math.cos(math.pi * t / 8)) for t in range(8)])
    assert learning_rate(settings, 12, 4) == pytest.approx(0.0)


def test_a_warm_up_of_part_of_an_epoch_is_rounded_to_steps():
    settings = TrainSettings(optimizer=Sgd(lr=0.1), schedule=Cosine(warmup=0.5), epochs=1)
    assert [learning_rate(settings, step, 4) for step in range(3)] == pytest.approx([0.05, 0.1, 0.1])

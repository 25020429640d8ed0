"""The settings of a `train` section, declared like layers.

    train lenet5 {
        loss = crossentropy(smoothing = 0.1)
        optimizer = sgd(lr = 0.02, momentum = 0.9, decay = 5e-4)
        schedule = cosine(warmup = 1)
        epochs = 10
        batch = 64
        metrics = [accuracy, top5]
        freeze = "all but fc3"
    }

What is not declared here is an unknown setting.  The loop that obeys them is `cnnc.training`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from compiler.declare import (
    BadValue,
    Choice,
    Context,
    Declared,
    Fault,
    Faults,
    Flag,
    Int,
    Kind,
    OneOf,
    Real,
    arg,
    show,
)
from compiler.elsewhere import argument_meant
from compiler.freezing import Pattern, Patterns
from spec_lang.diagnostics import Error, nearest
from spec_lang.frozen import frozen, replace


class TrainingError(Error):
    """Something that cannot be trained, or not gone on with (E8)."""


class Described(Declared):
    """A declaration that prints as it is written in a spec, defaults included."""

    @property
    def described(self) -> str:
        parts = [f"{a.name} = {as_written(getattr(self, a.name))}" for a in self.args()]
        return f"{self.name}({', '.join(parts)})" if parts else self.name


def as_written(value: Any) -> str:
    """A stored value in the spec's form: choices without quotes."""
    if isinstance(value, tuple):
        return "[" + ", ".join(map(as_written, value)) + "]"
    return value if isinstance(value, str) else show(value)


@frozen
class CrossEntropy(Described):
    """Mean over the batch of -sum_k q_k log softmax(logits)_k.

    q is 1 - smoothing for the label plus smoothing / classes for every class (Szegedy et al.
    2016, section 7), as PyTorch's `cross_entropy(label_smoothing=...)`.
    """

    name: ClassVar[str] = "crossentropy"
    what: ClassVar[str] = "loss"
    smoothing: float = arg(Real(minimum=0.0, below=1.0), "share of the label spread over all classes",
                           default=0.0)


@frozen
class Sgd(Described):
    """Stochastic gradient descent with momentum, as PyTorch's `SGD`.

    g = gradient + decay * w; v = g at first, then momentum * v + g;
    w -= lr * v, or with nesterov w -= lr * (g + momentum * v).
    """

    name: ClassVar[str] = "sgd"
    what: ClassVar[str] = "optimizer"
    lr: float = arg(Real(above=0.0), "learning rate", default=0.01, positional=True)
    momentum: float = arg(Real(minimum=0.0, below=1.0), "share of the velocity that is kept", default=0.9)
    decay: float = arg(Real(minimum=0.0), "weight decay, added to the gradient", default=0.0)
    nesterov: bool = arg(Flag(), "look ahead along the velocity", default=False)


@frozen
class Adam(Described):
    """Adam (Kingma and Ba 2015), as PyTorch's `Adam`.

    g = gradient + decay * w; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
    w -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps).
    """

    name: ClassVar[str] = "adam"
    what: ClassVar[str] = "optimizer"
    lr: float = arg(Real(above=0.0), "learning rate", default=1e-3, positional=True)
    beta1: float = arg(Real(minimum=0.0, below=1.0), "decay of the mean of gradients", default=0.9)
    beta2: float = arg(Real(minimum=0.0, below=1.0), "decay of the mean of squares", default=0.999)
    eps: float = arg(Real(above=0.0), "added to the root", default=1e-8)
    decay: float = arg(Real(minimum=0.0), "weight decay, added to the gradient", default=0.0)


@frozen
class Constant(Described):
    """The optimizer's learning rate at every step."""

    name: ClassVar[str] = "constant"
    what: ClassVar[str] = "schedule"


@frozen
class Cosine(Described):
    """Half a cosine from the optimizer's learning rate down to 0, after a linear warm-up.

    With W steps of warm-up out of T: lr (t + 1) / W for t < W, then
    lr (1 + cos(pi (t - W) / (T - W))) / 2.  Loshchilov and Hutter 2017, without restarts.
    """

    name: ClassVar[str] = "cosine"
    what: ClassVar[str] = "schedule"
    warmup: float = arg(Real(minimum=0.0), "epochs of linear warm-up (a part of one will do)", default=0.0)


LOSSES: dict[str, type[Declared]] = {c.name: c for c in (CrossEntropy,)}
OPTIMIZERS: dict[str, type[Declared]] = {c.name: c for c in (Sgd, Adam)}
SCHEDULES: dict[str, type[Declared]] = {c.name: c for c in (Constant, Cosine)}
METRICS = ("accuracy", "top5")


@frozen
class Words(Kind):
    """A list of choices, each once; one alone needs no brackets.

    Not `words`: these are no choices of any layer.
    """

    choices: tuple[str, ...]

    def describe(self) -> str:
        return f"a list out of {', '.join(self.choices)}"

    def accept(self, value: Any, context: Context) -> tuple[str, ...]:
        entries = value if isinstance(value, tuple) else (value,)
        one = Choice(self.choices)
        chosen = tuple(one.accept(entry, context) for entry in entries)
        if len(set(chosen)) < len(chosen):
            raise BadValue(f"{self.describe()}, each once, not {show(value)}")
        return chosen


@frozen
class TrainSettings(Described):
    """A `train` section, bound.  `TrainSettings()` is what holds without one."""

    name: ClassVar[str] = "train"
    what: ClassVar[str] = "train section"
    loss: CrossEntropy = arg(OneOf(LOSSES), "what is made small", default=CrossEntropy())
    optimizer: Sgd | Adam = arg(OneOf(OPTIMIZERS), "how the weights move", default=Sgd())
    schedule: Constant | Cosine = arg(OneOf(SCHEDULES), "the learning rate over time", default=Cosine())
    epochs: int = arg(Int(1, 1_000_000), "times through the training images", default=10)
    batch: int = arg(Int(1, 1_000_000), "images per step", default=64)
    metrics: tuple[str, ...] = arg(Words(METRICS), "what is measured on the test images after each epoch",
                                   default=("accuracy",))
    freeze: tuple[Pattern, ...] = arg(Patterns(), "which weights stay as they are", default=())


def bind_settings(items: Sequence[tuple[str, Any, Any]]) -> TrainSettings:
    """The settings from `(name, value, place)`, all of them checked.

    A value is a number, a `Word`, a tuple of `Word`s, or a `Called`; a body in braces
    (`augment { ... }`) comes as None, since no setting has one yet.

    Raises:
        Faults: with the item's place: E800 no such setting, E801 a value that it does not
            take, E802 a setting given twice, E803 settings that contradict each other, E310
            to E315 for the arguments of `sgd(...)` and its like.
    """
    known = {a.name: a for a in TrainSettings.args()}
    faults: list[tuple[Any, Fault]] = []
    stored: dict[str, Any] = {}
    places: dict[str, Any] = {}
    for name, value, place in items:
        if name not in known:
            faults.append((place, _unknown(name, tuple(known))))
            continue
        if name in places:
            faults.append((place, Fault("E802", f"`{name}` is set twice", argument=name)))
            continue
        places[name] = place
        try:
            if value is None:
                raise BadValue(f"{known[name].kind.describe()}, not a body in braces")
            stored[name] = known[name].kind.accept(value, Context())
        except BadValue as bad:
            faults.append((place, Fault("E801", f"`{name}` is {bad}", argument=name)))
        except Fault as inner:
            faults.append((place, inner))
    settings = TrainSettings(**stored)
    contradiction = _contradiction(settings)
    if contradiction is not None:
        name, fault = contradiction
        faults.append((places.get(name), fault))
    if faults:
        raise Faults(faults)
    return settings


def _unknown(name: str, known: tuple[str, ...]) -> Fault:
    near = nearest(name, known)
    help = f"did you mean `{near[0]}`?" if near else ""
    for setting, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("loss", LOSSES)):
        for owner in table.values() if not near else ():
            argument = argument_meant(name, [a.name for a in owner.args()])
            if argument and not help:
                help = f"`{argument}` is told to the {setting}: `{setting} = {owner.name}({argument} = ...)`"
    return Fault("E800", f"there is no setting `{name}`", argument=name,
                 notes=(f"settings: {', '.join(known)}",), help=(help,) if help else ())


def _contradiction(settings: TrainSettings) -> tuple[str, Fault] | None:
    """The setting to blame and why, where each is fine alone but not together."""
    optimizer, schedule = settings.optimizer, settings.schedule
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        return "optimizer", Fault("E803", "sgd: `nesterov` looks along the momentum, and `momentum` is 0",
                                  help=("momentum = 0.9",))
    if isinstance(schedule, Cosine) and schedule.warmup >= settings.epochs:
        return "schedule", Fault(
            "E803", f"cosine: a warm-up of {schedule.warmup:g} epochs leaves nothing of {settings.epochs}",
            help=(f"epochs = {math.floor(schedule.warmup) + 1}, or a shorter `warmup`",))
    return None


def adjusted(settings: TrainSettings, *, epochs: int | None = None, batch: int | None = None,
             freeze: str | Sequence[str] | None = None) -> TrainSettings:
    """The settings with other epochs, batch or frozen weights, as from a command line.

    A warm-up that no longer fits takes half of the epochs.  Raises `Fault` E801 for numbers
    out of range, and for what is no pattern.
    """
    changes: dict[str, Any] = {}
    for name, value in (("epochs", epochs), ("batch", batch), ("freeze", freeze)):
        if value is not None:
            kind = next(a.kind for a in TrainSettings.args() if a.name == name)
            try:
                changes[name] = kind.accept(value, Context())
            except BadValue as bad:
                raise Fault("E801", f"`{name}` is {bad}", argument=name) from None
    changed = replace(settings, **changes)
    schedule = changed.schedule
    if isinstance(schedule, Cosine) and schedule.warmup >= changed.epochs:
        changed = replace(changed, schedule=Cosine(warmup=changed.epochs / 2))
    return changed


def learning_rate(settings: TrainSettings, step: int, steps_per_epoch: int) -> float:
    """The learning rate of a step, counted from 0 over the whole training."""
    rate = settings.optimizer.lr
    schedule = settings.schedule
    if not isinstance(schedule, Cosine):
        return rate
    total = settings.epochs * steps_per_epoch
    warmup = min(round(schedule.warmup * steps_per_epoch), total - 1)
    if step < warmup:
        return rate * (step + 1) / warmup
    return rate * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2

"""Fully connected layers: the filters as they are, a product of a matrix and a vector for one image."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from backends.numpy.kernels.arrays import Array
from backends.numpy.plan.steps import pointwise
from backends.numpy.plan.steps.base import WHOLE, Kit, Pending, Step
from backends.numpy.plan.threads import Task
from backends.numpy.plan.units import Unit

#: What reading one number of a weight counts as, in operations: memory is slower than arithmetic.
WAIT = 8.0


def make(kit: Kit, unit: Unit) -> Pending:
    """`fc` of a vector per image; each task makes some of the features."""
    assert unit.head is not None
    weight = kit.weights[unit.head.weights["weight"]]
    x, y = kit.array(unit.inputs[0]), kit.array(unit.output)
    chain = pointwise.chain(kit, unit.chain, 2)
    work = weight.size * WAIT
    parts = kit.parts(work)
    features = len(weight)
    tasks: list[Task] = []
    for i in range(parts):
        some = slice(features * i // parts, features * (i + 1) // parts)
        where = (WHOLE, some) if kit.layout.channels_last else (some, WHOLE)
        target = y[where]
        links = pointwise.in_place(chain, where)
        rows = weight[some]
        if x.size == weight.shape[1]:
            tasks.append(partial(_vector, rows, x.reshape(-1), target.reshape(-1), target, links))
        elif kit.layout.channels_last:
            tasks.append(partial(_matrix, x, rows.T, target, links))
        else:
            tasks.append(partial(_matrix, rows, x, target, links))
    step: Step = kit.phase(tasks, work)
    return lambda: step


def _vector(weight: Array, x: Array, out: Array, target: Array, links: Any, worker: int) -> None:
    np.matmul(weight, x, out=out)
    links(target)


def _matrix(one: Array, other: Array, target: Array, links: Any, worker: int) -> None:
    np.matmul(one, other, out=target)
    links(target)

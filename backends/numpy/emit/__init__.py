"""One emitter per layer, a family a file, found by the class of the op."""

from __future__ import annotations

from backends.numpy.emit import activation, conv, dense, dropout, join, norm, pool, reshape
from backends.numpy.emit.base import Emitters

EMITTERS: Emitters = {
    op: emitter
    for family in (conv, pool, dense, norm, activation, dropout, reshape, join)
    for op, emitter in family.EMITTERS.items()
}

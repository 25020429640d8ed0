"""What a generated class refuses while it runs, each refusal in its words, and the nearest thing that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends.numpy.kernels import checks

F32, F64 = np.float32, np.float64
W = {"a": np.ones((2, 3)), "b": np.ones(4, int)}
SHAPES = {"a": (2, 3), "b": (4,)}


def zeros(*shape: int, dtype: Any = F64) -> np.ndarray:
    return np.zeros(shape, dtype)


# what is asked, and in what words it is refused (None: it is not)
ROWS: tuple[tuple[Callable[[], Any], str | None], ...] = (
    (lambda: checks.checked_input("x", zeros(2, 3, 9), (3, 9), F32), None),
    (lambda: checks.checked_input("x", zeros(0, 3, 9), (3, 9), F32), None),
    (lambda: checks.checked_input("x", zeros(2, 3, 9), (3, None), F32), None),
    (lambda: checks.checked_input("x", zeros(2, 3, 1), (3, None), F32), None),
    (lambda: checks.checked_input("x", zeros(2, 3, 0), (3, None), F32), "x is [2, 3, 0], not [N, 3, any]"),
    (lambda: checks.checked_input("x", zeros(2, 4, 9), (3, None), F32), "x is [2, 4, 9], not [N, 3, any]"),
    (lambda: checks.checked_input("x", zeros(3, 9), (3, 9), F32), "x is [3, 9], not [N, 3, 9]"),
    (lambda: checks.checked_input("x", zeros(2, 3, 9, 1), (3, 9), F32), "x is [2, 3, 9, 1], not [N, 3, 9]"),
    (lambda: checks.checked_input("x", zeros(2, dtype=np.uint8), (), F32), None),
    (lambda: checks.checked_input("x", zeros(2, dtype=bool), (), F32), None),
    (lambda: checks.checked_input("x", zeros(2, dtype=complex), (), F32), "x holds complex128, not numbers"),
    (lambda: checks.checked_input("x", np.array(["1"]), (), F32), "x holds <U1, not numbers"),
    (lambda: checks.checked_weights(W, SHAPES, F32), None),
    (lambda: checks.checked_weights({"a": W["a"]}, SHAPES, F32, ("b",)), None),
    (lambda: checks.checked_weights({"b": W["b"]}, SHAPES, F32, ("b",)),
     "the weights do not fit the model:\n  missing: a [2, 3]"),
    (lambda: checks.checked_weights({"a": zeros(3, 2), "c": zeros(1)}, SHAPES, F32),
     "the weights do not fit the model:\n  missing: b [4]\n  unexpected: c\n  mis-shaped: a is [3, 2], not [2, 3]"),
    (lambda: checks.checked_weights({**W, "b": np.array(list("abcd"))}, SHAPES, F32),
     "the weights do not fit the model:\n  not numbers: b holds <U1"),
    (lambda: checks.checked_weights({**W, "b": zeros(4, dtype=bool)}, SHAPES, F32),
     "the weights do not fit the model:\n  not numbers: b holds bool"),
    (lambda: checks.check_rows(a=zeros(2), b=zeros(2, 3)), None),
    (lambda: checks.check_rows(a=zeros(2), b=zeros(3, 2)), "the inputs differ in their rows: a has 2, b has 3"),
    (lambda: checks.check_extents("H", 3, 3, 3), None),
    (lambda: checks.check_extents("H", 3, 3, 4), "the inputs differ in H: 3, 3, 4"),
    (lambda: checks.checked_gradient("y", zeros(2, 3), zeros(2, 3)), None),
    (lambda: checks.checked_gradient("y", zeros(3), zeros(2, 3)), "the gradient of y is [3], not [2, 3]"),
    (lambda: checks.gradient_of("y", {"y": zeros(3)}, zeros(2, 3)), "the gradient of y is [3], not [2, 3]"),
    (lambda: checks.check_windows("c", (5,), 5), None),
    (lambda: checks.check_windows("c", (4,), 5), "c: its window of 5 does not fit a size of 4 with a padding of 0 and 0"),
    (lambda: checks.check_windows("c", (2,), 5, pad=((1, 2),)), None),
    (lambda: checks.check_windows("c", (9, 4), (2, 3), stride=1, pad=((0, 0), (1, 0)), dilation=(1, 3)),
     "c: its window of 7 does not fit a size of 4 with a padding of 1 and 0"),
    (lambda: checks.check_windows("c", (4,), 5, overhang=1), None),
    (lambda: checks.check_windows("c", (9,), 3, stride=2, exact=True), None),
    (lambda: checks.check_windows("c", (10,), 3, stride=2), None),
    (lambda: checks.check_windows("c", (10,), 3, stride=2, exact=True),
     "c does not fit its input: (10 - 3 + 0) / 2 + 1 = 4.5, and 1 of 10 would never be seen"),
    (lambda: checks.check_windows("c", (12,), 3, stride=4, pad=((1, 1),), exact=True),
     "c does not fit its input: (12 - 3 + 2) / 4 + 1 = 3.75, and 2 of 12 would never be seen"),
    (lambda: checks.check_windows("c", (10,), 3, stride=2, pad=((0, 1),), exact=True), None),
    (lambda: checks.check_windows("c", (10,), 3, stride=2, pad=((1, 0),), exact=True), None),
    (lambda: checks.check_windows("c", (9,), 1, stride=3, exact=True), None),  # the gap of a stride beyond the kernel
    (lambda: checks.check_windows("c", (9,), 2, stride=4, exact=True),
     "c does not fit its input: (9 - 2 + 0) / 4 + 1 = 2.75, and 3 of 9 would never be seen"),
    (lambda: checks.check_windows("p", (3,), 2, stride=1, pad=1, pool=True), None),
    (lambda: checks.check_windows("p", (3,), 2, stride=1, pad=((2, 0),), pool=True),
     "p has a window that sees no input at a size of 3"),
    (lambda: checks.check_windows("p", (3,), 2, stride=1, pad=((0, 2),), pool=True),
     "p has a window that sees no input at a size of 3"),
    (lambda: checks.check_windows("p", (3,), 2, stride=1, pad=((0, 2),)), None),
    (lambda: checks.check_windows("p", (1,), 2, stride=1, pad=1, dilation=2, pool=True),
     "p has a window that sees no input at a size of 1"),
    (lambda: checks.check_border("c", (3, 3), ((2, 2), (1, 0)), "reflect"), None),
    (lambda: checks.check_border("c", (3, 3), ((0, 0), (0, 3)), "reflect"),
     "c pads a size of 3 by 3, but `reflect` has at most 2 to give"),
    (lambda: checks.check_border("c", (3,), 3, "circular"), None),
    (lambda: checks.check_border("c", (3,), 4, "circular"),
     "c pads a size of 3 by 4, but `circular` has at most 3 to give"),
    (lambda: checks.check_equal("j", (2, 3, 4), (2, 3, 4), (2, 3, 4)), None),
    (lambda: checks.check_equal("j", (2, 3, 4), (2, 3, 4), (2, 3, 5)), "j cannot join [2, 3, 4] and [2, 3, 5]"),
    (lambda: checks.check_equal("j", (2, 3, 4), (2, 5, 4), apart=1), None),
    (lambda: checks.check_equal("j", (2, 3, 4), (2, 5, 5), apart=1), "j cannot join [2, 3, 4] and [2, 5, 5]"),
    (lambda: checks.check_several("n", 2), None),
    (lambda: checks.check_several("n", 1),
     "n would normalise each number by itself: its statistics need more than one"),
    (lambda: checks.check_present({"a": 1}, ("a",)), None),
    (lambda: checks.check_present({"a": 1}, ("b", "a", "c")),
     "these weights are needed for training and were not given: b, c"),
)  # fmt: skip


@pytest.mark.parametrize(("ask", "words"), ROWS, ids=range(len(ROWS)))
def test_what_does_not_fit_is_refused_in_these_words(ask: Callable[[], Any], words: str | None) -> None:
    if words is None:
        ask()
        return
    with pytest.raises(ValueError) as caught:
        ask()
    assert str(caught.value) == words


def test_what_is_checked_comes_back_in_the_type_and_order_asked_for() -> None:
    x = zeros(2, 3)
    assert checks.checked_input("x", x, (3,), F64) is x
    assert checks.checked_input("x", [[1, 2, 3]], (3,), F32).dtype == F32
    found = checks.checked_weights({"b": W["b"], "a": W["a"].T.copy().T}, SHAPES, F32)
    assert list(found) == ["a", "b"]
    assert all(array.dtype == F32 and array.flags.c_contiguous for array in found.values())
    assert checks.checked_gradient("y", [1, 2], zeros(2, dtype=F32)).dtype == F32
    np.testing.assert_array_equal(checks.gradient_of("y", {}, np.ones((2, 3))), zeros(2, 3))

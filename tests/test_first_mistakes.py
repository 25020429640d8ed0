"""Mistakes of people who know another framework or language: one message each, at its place, with the way out."""

from __future__ import annotations

import pytest

from compiler.load import check
from spec_lang.source import Source

#: (a line of a model on a 3x32x32 image, the code, the text that is pointed at, words of the help).
LINES = [
    ("Conv2D(8, 3x3)", "E202", "Conv2D", "`conv`"),
    ("Conv2d(8, 3x3)", "E202", "Conv2d", "`conv`"),
    ("MaxPooling2D(2)", "E202", "MaxPooling2D", "`maxpool`"),
    ("GlobalAveragePooling2D", "E202", "GlobalAveragePooling2D", "`globalavgpool`"),
    ("Dense(10)", "E202", "Dense", "`fc`"),
    ("nn_Linear(10)", "E202", "nn_Linear", "nn_Linear"),
    ("linear(10)", "E202", "linear", "`fc`"),
    ("BatchNorm2d", "E202", "BatchNorm2d", "`batchnorm`"),
    ("bn", "E202", "bn", "`batchnorm`"),
    ("swish", "E202", "swish", "`silu`"),
    ("sequential", "E202", "sequential", "`seq`"),
    ("conv(8, 3x3, padding = 1)", "E310", "padding = 1", "`pad`"),
    ("conv(8, 3x3, padding_mode = reflect)", "E310", "padding_mode = reflect", "`pad_mode`"),
    ("conv(8, kernel_size = 3)", "E310", "kernel_size = 3", "`kernel`"),
    ("conv(8, 3x3, in_channels = 3)", "E310", "in_channels = 3", "known from the flow"),
    ("conv(8, 3x3, use_bias = false)", "E310", "use_bias = false", "`bias`"),
    ("conv(8, 3x3, activation = relu)", "E310", "activation = relu", "`conv(...) -> relu`"),
    ("maxpool(2x2, ceil_mode = true)", "E310", "ceil_mode = true", "`round = ceil`"),
    ("relu(inplace = true)", "E310", "inplace = true", "leave it out"),
    ("batchnorm(epsilon = 1e-3)", "E310", "epsilon = 1e-3", "`eps`"),
    ("leakyrelu(negative_slope = 0.1)", "E310", "negative_slope = 0.1", "`slope`"),
    ("dropout(rate = 0.1)", "E310", "rate = 0.1", "`p`"),
    ("flatten -> fc(3072, 10)", "E314", "10", "known from the flow"),
    ("batchnorm(3)", "E314", "3", "known from the flow"),
    ("conv(3, 64, 3)", "E314", "3", "`conv(64, 3)`"),
    ("adaptiveavgpool(1, 1)", "E314", "1", "`adaptiveavgpool(1x1)`"),
    ("conv(8, 3x3, image)", "E314", "image", "`image -> conv(...)`"),
    ('conv(8, 3x3, pad = "same")', "E312", 'pad = "same"', "`pad = same`"),
    ("conv(8, 3x3, bias = False)", "E201", "False", "`false`"),
    ("conv(8, kxk)", "E201", "kxk", "`(k, k)`"),
    ("expect param == 10", "E201", "param", "`params`"),
    ("init { conv = kaiming }", "E500", "kaiming", "`he`"),
    ("init { conv = glorot_uniform }", "E500", "glorot_uniform", "`xavier`"),
    ("preprocess { resize(32, 32) }", "E314", "32", "`resize(32x32)`"),
    ("dropout(50%)", "E108", ")", "`0.5`"),
    ("output y = relu", "E121", "=", "`output name`"),
    ('relu as "c1"', "E121", '"c1"', "`as c1`"),
    ("shared head = fc(10)", "E121", "head", "`shared head: fc(10)`"),
    ("weight w = [3, 1, 1]", "E121", "w", "`weight gamma: [64, 1, 1]`"),
    ("image + it -> relu", "E122", "+", "`add(a, b)`"),
    ("nn.ReLU()", "E122", ".", "`relu`"),
    ("return it", "E124", "it", "`output name`"),
    ("def f(x): 2", "E124", "f", "`let f(x) = ...`"),
]


@pytest.mark.parametrize("line, code, place, words", LINES, ids=lambda value: str(value)[:40])
def test_a_habit_is_answered_once_and_in_our_words(line: str, code: str, place: str, words: str) -> None:
    text = (
        f"model net(classes = 10) {{\n    input image: [3, 32, 32]\n    {line}\n"
        "    image -> flatten -> fc(classes)\n    output logits\n}\n"
    )
    (found,) = [d for d in check(Source("net.cnn", text)) if d.is_error and d.code not in ("E206",)]
    assert found.code == code
    assert found.span is not None and found.span.line == 3
    assert found.span.text == place
    assert words in " | ".join(found.help)


def test_an_input_without_a_name() -> None:
    (found,) = check(Source("n.cnn", "model n {\n    input(3, 8, 8)\n    relu\n}\n"))
    assert found.code == "E122" and "`input image: [3, 224, 224]`" in found.help[0]


def test_a_hyphen_in_the_name_of_a_model() -> None:
    (found,) = check(Source("n.cnn", "model res-net {\n    input x: [3, 8, 8]\n    relu\n}\n"))
    assert found.code == "E122" and "`res_net`" in found.help[0]


def test_a_batch_in_the_shape_of_an_input() -> None:
    (found,) = check(Source("n.cnn", "model n {\n    input x: [1, 3, 8, 8]\n    conv(2, 3x3)\n}\n"))
    assert found.code == "E312" and "batch" in found.message


def test_a_setting_of_the_optimizer_in_the_section() -> None:
    text = "model n {\n    input x: [8]\n    fc(2)\n}\ntrain n {\n    learning_rate = 0.1\n}\n"
    (found,) = check(Source("n.cnn", text))
    assert found.code == "E800" and "`optimizer = sgd(lr = ...)`" in found.help[0]


def test_braces_in_a_string_that_is_passed_on() -> None:
    text = (
        'block b(name) { "{name}": conv(2, 1x1) }\n'
        'model n {\n    input x: [3, 8, 8]\n    for i in 0..2 { b("part{i}") }\n}\n'
    )
    found = check(Source("n.cnn", text))[0]
    assert (
        found.code == "E208" and "`part{i}`" in found.message and "pass what stands between" in found.help[0]
    )

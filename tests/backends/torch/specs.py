"""Specs whose scopes are hard to write as classes, each for a reason of its own."""

from __future__ import annotations

SPECS = {
    # residual blocks: one with and one without a projection, four of them alike
    "resnet": """block Bottleneck(width, stride = 1, groups = 1, per_group = 64) {
    let inner = width * per_group * groups // 64
    add {
        branch {
            conv1: conv(inner, 1x1, bias = false) -> bn1: batchnorm -> relu
            conv2: conv(inner, 3x3, stride = stride, pad = half, groups = groups, bias = false)
            bn2: batchnorm -> relu
            conv3: conv(4 * width, 1x1, bias = false) -> bn3: batchnorm
        }
        branch {
            if stride != 1 or in.channels != 4 * width {
                downsample: seq { conv(4 * width, 1x1, stride = stride, bias = false) -> batchnorm }
            }
        }
    }
    relu
}
model ResNet(unit = Bottleneck, layers = [2, 2], classes = 10) {
    input image: [3, 33, 47]
    conv1: conv(8, 7x7, stride = 2, pad = half, bias = false)
    bn1: batchnorm -> relu -> maxpool(3x3, stride = 2, pad = half)
    for (i, n) in zip(1..3, layers) {
        "layer{i}": seq {
            for j in 0..n { unit(8 * 2 ** (i - 1), stride = if i > 1 and j == 0 then 2 else 1) }
        }
    }
    globalavgpool -> flatten -> fc: fc(classes)
    output logits
}
model tiny = ResNet(layers = [3, 4])
""",
    # arrays of tensors, free extents, a block of several widths
    "unetpp": """block Double(width) { repeat 2 { conv(width, 3x3, pad = half) -> batchnorm -> relu } }
model unetpp(classes = 1, widths = [4, 8, 12]) {
    input image: [3, H = 16, W = 24]
    for i in 0..3 {
        if i > 0 { maxpool(2x2) }
        "conv{i}_0": Double(widths[i]) as x[i, 0]
    }
    for j in 1..3 {
        for i in 0..3 - j {
            x[i + 1, j - 1] -> adaptiveavgpool(like = x[i, 0])
            concat(x[i, 0..j], it) -> "conv{i}_{j}": Double(widths[i]) as x[i, j]
        }
    }
    x[0, 2] -> final: conv(classes, 1x1)
    output logits
}
""",
    # branches, and heads that exist in training alone
    "aux": """block Aux(classes) { globalavgpool -> flatten -> fc(7) -> relu -> dropout(0.2) -> fc(classes) }
block Inception(a, b, c) {
    concat {
        branch { branch1: seq { conv(a, 1x1) -> relu } }
        branch { branch2: seq { conv(b, 1x1) -> relu -> conv(2 * b, 3x3, pad = 1) -> relu } }
        branch { maxpool(3x3, stride = 1, pad = 1) -> branch3: conv(c, 1x1) -> relu }
    }
}
model goog(classes = 5) {
    input image: [3, 15, 19]
    conv(6, 3x3) -> batchnorm -> relu
    inception3a: Inception(3, 4, 5)
    training { aux1: Aux(classes)
       output aux1 }
    inception3b: Inception(6, 8, 10)
    training { aux2: Aux(classes)
       output aux2 }
    inception4: Inception(2, 9, 1)
    globalavgpool -> flatten -> fc(classes)
    output logits
}
""",
    # labels that PyTorch, Python or the file itself use
    "hostile": """block Head(n) {
    weight forward: [n, 1, 1]
    type: conv(n, 1x1) -> half: batchnorm -> training: conv(n, 1x1)
    multiply(it, forward) -> __class__: conv(n, 1x1) -> _modules: conv(n, 1x1)
    "class": conv(n, 1x1)
    "0": conv(n, 1x1)
    "a-b": conv(n, 1x1)
    "3x3": conv(n, 1x1)
}
model hostile {
    input image: [3, 8, 9]
    "self": conv(4, 1x1)
    "torch": Head(4)
    "F": seq { conv(4, 1x1) -> relu -> "append": conv(4, 1x1) }
    "nn": seq { train: conv(4, 1x1) -> eval: conv(4, 1x1) }
    "convs.0": conv(4, 1x1) -> "convs.1": conv(4, 1x1)
    "named.a": conv(4, 1x1) -> "named.b": conv(4, 1x1)
    "deep.type.x": conv(4, 1x1) -> "deep.type.y": conv(4, 1x1) -> "deep.training": conv(4, 1x1)
    "keys.keys": conv(4, 1x1) -> "keys.b": conv(4, 1x1)
    "state_dict": conv(4, 1x1)
    "x": conv(4, 1x1) -> "out": conv(4, 1x1) -> print: conv(4, 1x1) -> len: conv(4, 1x1)
    "check_input": conv(4, 1x1) -> "build_model": conv(4, 1x1)
    output "a/b"
}
""",
    # blocks, layers and sequences applied in several places, at several sizes, from inside a group
    "shared": """block RPN(n) {
  conv(n, 3x3, pad = half) -> relu as h
  cls: conv(2, 1x1)
  output a
  h -> reg: conv(4, 1x1)
  output b
}
model shared {
    input image: [3, 17, 20]
    weight gain: [6, 1, 1]
    shared head: RPN(6)
    shared c: conv(6, 3x3, stride = 2, pad = same)
    shared down: seq { conv(6, 1x1) -> batchnorm }
    conv(6, 1x1) as x0
    c as x1
    group: {
        x1 -> inner: conv(6, 1x1) -> down as y
        y -> head as (p1, q1)
        y -> multiply(it, gain) -> down -> add(it, x1)
        c as x3
        x3 -> head as (p2, q2)
    }
    x0 -> head as (p3, q3)
    p3 -> adaptivemaxpool(like = p1) -> concat(it, p1)
    output p
    concat(q3, x0)
    output q
    q2 -> concat(it, p2)
    output r
    q1
    output s
}
""",
    # blocks in blocks, channels cut in two, layers that need their own names, variants of one block
    "stages": """block Split(half) {
    slice(channels, 0, half) as a
    in -> slice(channels, half, 2 * half) -> conv(half, 3x3, pad = 1) -> relu
    concat(a, it)
}
block Stage(width, n) {
    down: conv(width, 3x3, stride = 2, pad = half) -> batchnorm -> relu
    blocks: seq { repeat 2 { Split(width // 2) } }
    if n > 2 { maxpool(2x2, stride = 1) }
    identity
}
block Act(act = relu) { conv(6, 1x1) -> act }
model stages {
    input image: [3, H = 32, W = 40]
    stage1: Stage(6, 2)
    maxpool(2x2)
    stage2: Stage(8, 2)
    stage3: Stage(8, 3)
    pools: { p1: seq { conv(6, 1x1) -> relu }
 maxpool(2x2, pad = 1) }
    a1: Act
    a2: Act(silu)
    a3: Act(silu)
    output y
}
""",
    # two inputs, three outputs, dotted labels, frozen weights
    "pyramid": """block Down { maxpool(2x2) -> conv(6, 3x3, pad = half) }
block Tower(width, n) {
    for i in 0..n { "blocks.{i}": conv(width, 3x3, pad = half) -> relu }
    globalavgpool
}
model pyramid {
    input image: [3, H = 32, W = 40]
    input mask: [1, H = 32, W = 40]
    image -> conv(6, 3x3, pad = half)
    d1: Down
    d2: Down as d
    multiply(it, 2.5) -> Tower(6, 2) as t
    d -> Tower(8, 2) -> flatten -> fc(6)
    output u
    t -> flatten
    output v
    mask -> conv(2, 3x3, stride = 2, pad = half, pad_mode = zeros, frozen = true, round = floor)
    output w
}
""",
    # what is shared but cannot be one module: it does something else the second time
    "sharedif": """block Odd(n) {
    if in.height > 10 { maxpool(2x2) }
    c: conv(n, 3x3, pad = half)
    relu
}
model sharedif {
    input image: [6, 20, 20]
    shared odd: Odd(6)
    shared n: batchnorm
    shared f: fc(6, axis = channels)
    odd as a
    odd as b
    a -> concat(it, b) -> conv(6, 1x1)
    outer: { odd -> n -> f -> relu }
    globalavgpool -> flatten -> f -> n
    output y
}
""",
    # long joins, deep sequences, expressions inside a sequence
    "many": """model many {
    input image: [2, 5, 6]
    conv(4, 1x1) as a
    add { for i in 0..12 { branch { conv(4, 1x1) } } branch { identity } } as b
    average { for i in 0..7 { branch { conv(4, 1x1) -> tanh } } }
    maximum(a, b, it)
    average(it, a)
    nested: seq { seq { seq { seq { seq { seq { seq { conv(4, 1x1) -> relu }
relu }
tanh }
 sigmoid }
identity }
 flatten }
 fc(7) -> add(it, 0.5) -> multiply(it, 3) -> hardsigmoid -> dropout(0.1, mode = classic) }
    reshape([7, 1]) -> permute([1, 0]) -> reduce(mean, last)
    output y
}
""",
    # shared layers that meet inputs of different ranks and sizes
    "ranks": """
model ranks {
    input image: [4, 9, 14]
    input line: [4, 7]
    shared i: instancenorm(affine = true)
    shared l: layernorm
    shared b: batchnorm
    shared f: fc(4, axis = channels)
    shared s: scale
    shared p: prelu
    shared g: groupnorm(2)
    shared n: l2norm
    shared c: conv(4, 3x3, stride = 2, pad = same)
    shared up: conv(4, 3x2, pad = same_lower, pad_mode = reflect, frozen = true)
    image -> c -> up -> c -> i -> l -> b -> f -> s -> p -> g -> n
    output map
    line -> i -> l -> b -> f -> s -> p -> g -> n as m
    output line_
    m -> reduce(mean, last) -> l -> b -> f -> s -> p -> g -> n
    output vector
}
""",
    # names that Python, PyTorch or a linter takes for something else
    "odd": """
block Twice(__class__, l = 1) { conv(__class__, 1x1, stride = l, round = floor) -> relu }
model odd {
    input I: [2, 4, 4]
    s: seq { Twice(2) -> Twice(3) -> Twice(4, 2) }
    F: seq { conv(2, 1x1) -> relu }
    G: {
        F: conv(2, 1x1)
        torch: batchnorm
    } as O
    output l
}
""",
    # a layer of each kind, most with arguments that differ from their defaults
    "layers": """
model layers {
    input map: [4, 9, 14]
    input line: [4, 13]
    input box: [4, 5, 6, 7]
    weight gain: [4, 1, 1]
    weight centers: [3, 20]
    map -> conv(6, 3x5, stride = 2x3, dilation = 2x1, pad = [(1, 2), (0, 3)], groups = 2) -> conv(6, 1x1, bias = false)
    batchnorm(eps = 1e-3, momentum = 0.3) -> batchnorm(affine = false) -> instancenorm(affine = true, eps = 0.1)
    groupnorm(2, eps = 0.1) -> layernorm(eps = 0.1, axis = last) -> layernorm(affine = false) -> l2norm(eps = 0.1)
    lrn(3, alpha = 0.5, beta = 0.6, k = 2, scale = sum) -> scale(bias = false) -> scale
    output norms
    map -> conv(4, 3x3, pad = 1, pad_mode = reflect) -> conv(4, 3x3, pad = [(1, 0), (0, 1)], pad_mode = circular)
    conv(4, 2x3, stride = 3x2, round = ceil, frozen = true)
    output borders
    map -> maxpool(3x2, stride = 2x3, pad = 1, dilation = 1x2, round = floor)
    maxpool(2x2, stride = 1, pad = [(1, 0), (0, 1)])
    output largest
    map -> avgpool(3x5, stride = 2x3, pad = 1x2, round = ceil, divisor = valid) -> avgpool(2x2, stride = 1, divisor = 3)
    avgpool(2x2, stride = 1, pad = [(1, 0), (0, 1)], divisor = 2.5)
    output means
    map -> adaptiveavgpool(3x5) as a
    map -> adaptivemaxpool(like = a) -> concat(it, a) -> globalmaxpool -> flatten -> fc(6, bias = false)
    leakyrelu(0.2) -> prelu -> prelu(shared = true) -> elu(0.3) -> selu -> gelu -> silu -> mish
    hardswish -> hardsigmoid -> sigmoid -> tanh -> softplus -> relu6 -> softmax -> logsoftmax
    output vector
    map -> fc(5, axis = channels) -> fc(3, axis = last) -> softmax(axis = height) -> dropout(0.2, spatial = true)
    dropout(0.3, mode = classic)
    output mapped
    map -> multiply(it, gain) -> add(it, 0.5) -> select([3, 1, 0, 1]) -> slice(width, 2, 13) -> permute([1, 2, 0])
    pad([(1, 2), (0, 3)], mode = replicate) -> reduce(max, height)
    output moved
    map -> select([0, 2]) -> pad(1x2, mode = circular) -> reshape([4, -1]) -> reduce(mean, channels)
    output reshaped
    line -> conv(4, 3, stride = 2, pad = [(1, 2)]) -> maxpool(2, round = floor) -> avgpool(2, pad = 1, stride = 1)
    globalavgpool -> concat(it, it, axis = last) -> identity
    output from_line
    line -> slice(last, 0, 5) -> flatten -> rbf(centers)
    output distances
    box -> conv(4, 2x3x1, stride = 1x2x3, pad = [(1, 0), (2, 1), (0, 2)]) -> maxpool(2x1x1, stride = 1)
    avgpool(2x2x1, stride = 1, pad = [(1, 0), (0, 1), (0, 0)]) -> batchnorm -> adaptivemaxpool(2) -> pad(1)
    output from_box
}
""",
}

"""The specs of the language's description, as they stand there."""

LENET = """\
## LeNet-5, LeCun et al. 1998, as it is taught today: the first CNN, for handwritten digits.
model lenet5(classes = 10) {
    input image: [1, 32, 32]

    conv(6, 5x5)  -> relu -> maxpool(2x2)      # 28x28, then 14x14; its weights are conv1.weight and conv1.bias
    conv(16, 5x5) -> relu -> maxpool(2x2)
    flatten
    fc(120) -> relu
    fc(84)  -> relu
    fc(classes)
    output logits

    expect params == 61_706 and macs == 416_520
}
"""

RESNET = """\
block Bottleneck(width, stride = 1, groups = 1, per_group = 64) {
    let inner = width * per_group * groups // 64
    add {
        branch {
            conv1: conv(inner, 1x1, bias = false) -> bn1: batchnorm -> relu
            conv2: conv(inner, 3x3, stride = stride, pad = half, groups = groups, bias = false) -> bn2: batchnorm -> relu
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

model ResNet(unit, layers, classes = 1000) {
    input image: [3, 224, 224]
    conv1: conv(64, 7x7, stride = 2, pad = half, bias = false) -> bn1: batchnorm -> relu -> maxpool(3x3, stride = 2, pad = half)
    for (i, n) in zip(1..5, layers) {
        "layer{i}": seq {
            for j in 0..n { unit(64 * 2 ** (i - 1), stride = if i > 1 and j == 0 then 2 else 1) }
        }
    }
    globalavgpool -> flatten -> fc: fc(classes)
    output logits
}
model resnet50 = ResNet(Bottleneck, [3, 4, 6, 3])
model resnext50_32x4d = ResNet(Bottleneck(groups = 32, per_group = 4), [3, 4, 6, 3])
"""

UNETPP = """\
block Double(width) { repeat 2 { conv(width, 3x3, pad = half) -> batchnorm -> relu } }

## U-Net++, Zhou et al. 2018.  x[i, j]: level i, column j, as in the paper's formula.
model unetpp(classes = 1, widths = [32, 64, 128, 256, 512]) {
    input image: [3, H = 96, W = 96]
    for i in 0..5 {
        if i > 0 { maxpool(2x2) }
        "conv{i}_0": Double(widths[i]) as x[i, 0]
    }
    for j in 1..5 {
        for i in 0..5 - j {
            x[i + 1, j - 1] -> upsample(scale = 2, mode = bilinear, coord = corners)
            concat(x[i, 0..j], it) -> "conv{i}_{j}": Double(widths[i]) as x[i, j]
        }
    }
    x[0, 4] -> final: conv(classes, 1x1)
    output logits
}
"""

TRAINING = """\
model lenet5(classes = 10) {
    input image: [1, 32, 32]
    preprocess { resize(32x32) -> rescale(1 / 255) -> normalize(mean = [0.1307], std = [0.3081]) }
    init { conv = he(normal)  fc = xavier(uniform)  "fc3" = normal(0.01) }     # a bare word is a layer, a string a path; the last match wins
    conv(6, 5x5)  -> relu -> maxpool(2x2)
    conv(16, 5x5) -> relu -> maxpool(2x2)
    flatten -> fc(120) -> relu -> fc(84) -> relu -> fc(classes)
    output logits
}

train lenet5 {
    loss = crossentropy(weights = median_frequency, smoothing = 0.0)
    optimizer = sgd(lr = 0.02, momentum = 0.9, decay = 5e-4)
    schedule = cosine(warmup = 1)
    epochs = 10
    batch = 64
    augment { hflip(0.5) -> randomcrop(32, pad = 4) -> rotate(10) -> blur(3, sigma = 1.0) -> randomscale(0.8, 1.2) }
    balance = sampler
    metrics = [accuracy, top5]
    test_augment { hflip }           # predictions are averaged over the augmented copies
}
"""

SPECS = {"lenet": LENET, "resnet": RESNET, "unetpp": UNETPP, "training": TRAINING}

"""The networks of this folder written by hand in PyTorch, with the weights by their names in the spec.

Each function has the name of a file and maps `(Weights, inputs)` to the outputs by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

relu = F.relu


class Weights:
    """Tensors by their names, and the layers that have some.  `training` is batchnorm's mode."""

    def __init__(self, tensors: Mapping[str, Tensor], training: bool) -> None:
        self.w = tensors
        self.training = training

    def __getitem__(self, name: str) -> Tensor:
        return self.w[name]

    def conv(self, x: Tensor, name: str, **options: object) -> Tensor:
        weight = self.w[name + ".weight"]
        function = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[weight.dim()]
        return function(x, weight, self.w.get(name + ".bias"), **options)

    def bn(self, x: Tensor, name: str, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
        mean, var = self.w[name + ".running_mean"], self.w[name + ".running_var"]
        weight, bias = self.w.get(name + ".weight"), self.w.get(name + ".bias")
        return F.batch_norm(x, mean, var, weight, bias, self.training, momentum, eps)

    def fc(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def channelwise_fc(self, x: Tensor, name: str) -> Tensor:
        return self.fc(x.movedim(1, -1), name).movedim(-1, 1)

    def channelwise_norm(self, x: Tensor, name: str, eps: float = 1e-5) -> Tensor:
        weight, bias = self.w[name + ".weight"], self.w[name + ".bias"]
        return F.layer_norm(x.movedim(1, -1), (x.shape[1],), weight, bias, eps).movedim(-1, 1)


def gap(x: Tensor) -> Tensor:
    """The mean of each channel."""
    return x.mean(dim=tuple(range(2, x.dim())))


def resnet(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = relu(p.bn(p.conv(i["image"], "stem", padding=1), "bn", 0.3, 1e-3))
    for level in (1, 2, 3):
        for j in (0, 1):
            n = f"layer{level}.{j}."
            st = 2 if level > 1 and j == 0 else 1
            y = relu(p.bn(p.conv(x, n + "conv1", stride=st, padding=1), n + "bn1"))
            y = p.bn(p.conv(y, n + "conv2", padding=1), n + "bn2")
            sc = p.bn(p.conv(x, n + "downsample.0", stride=st), n + "downsample.1") if st == 2 else x
            x = relu(y + sc)
    n = "bottleneck1."
    y = relu(p.bn(p.conv(x, n + "conv1"), n + "bn1"))
    y = relu(p.bn(p.conv(y, n + "conv2", padding=1), n + "bn2"))
    y = p.bn(p.conv(y, n + "conv3"), n + "bn3")
    x = relu(x + y)
    return {"logits": p.fc(gap(x), "fc")}


def densenet(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = p.conv(i["image"], "features.conv0", padding=1)
    for b, k in ((1, 2), (2, 3)):
        for layer in range(1, k + 1):
            n = f"features.denseblock{b}.denselayer{layer}."
            y = p.conv(relu(p.bn(x, n + "norm1")), n + "conv1")
            y = p.conv(relu(p.bn(y, n + "norm2")), n + "conv2", padding=1)
            x = torch.cat([x, y], 1)
        if b == 1:
            x = F.avg_pool2d(
                p.conv(relu(p.bn(x, "features.transition1.norm")), "features.transition1.conv"), 2
            )
    x = p.bn(x, "features.norm5")
    return {"output": p.fc(gap(relu(x)), "classifier")}


def googlenet(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def cb(x, n, **k):
        return relu(p.bn(p.conv(x, n + ".conv", **k), n + ".bn", eps=1e-3))

    def inc(x, n):
        return torch.cat(
            [
                cb(x, n + ".branch1"),
                cb(cb(x, n + ".branch2.0"), n + ".branch2.1", padding=1),
                cb(cb(x, n + ".branch3.0"), n + ".branch3.1", padding=2),
                cb(F.max_pool2d(x, 3, 1, 1), n + ".branch4.1"),
            ],
            1,
        )

    x = cb(i["image"], "conv1", stride=2, padding=3)
    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
    x = F.local_response_norm(x, 5, 2e-2, 0.75, 2.0)
    x = inc(x, "inception3a")
    o = {}
    if p.training:
        a = cb(F.adaptive_avg_pool2d(x, 2), "aux1.conv").flatten(1)
        o["aux1"] = p.fc(relu(p.fc(a, "aux1.fc1")), "aux1.fc2")
    x = F.max_pool2d(inc(x, "inception3b"), 3, 2, ceil_mode=True)
    o["logits"] = p.fc(gap(x), "fc")
    return o


def squeezenet(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def fire(x, n):
        s = relu(p.conv(x, n + ".squeeze"))
        return torch.cat([relu(p.conv(s, n + ".expand1x1")), relu(p.conv(s, n + ".expand3x3", padding=1))], 1)

    x = F.max_pool2d(relu(p.conv(i["x"], "features.0", stride=2)), 3, 2, ceil_mode=True)
    x = fire(fire(x, "features.3"), "features.4")
    x = fire(F.max_pool2d(x, 3, 2, ceil_mode=True), "features.6")
    return {"scores": gap(relu(p.conv(x, "classifier.1")))}


def mobilenet(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def cba(x, n, act, k=3, s=1, g=1):
        return act(p.bn(p.conv(x, n + ".conv1", stride=s, padding=k // 2, groups=g), n + ".batchnorm1"))

    def se(x, n):
        s = x.mean((2, 3), keepdim=True)
        return x * F.hardsigmoid(p.conv(relu(p.conv(s, n + ".fc1")), n + ".fc2"))

    x = cba(i["image"], "features.0", F.relu6, s=2)
    k = 1
    for t, s in ((1, 1), (3, 2), (3, 1)):
        n = f"features.{k}.block."
        k += 1
        j = 0
        y = x
        h = x.shape[1] * t
        if t != 1:
            y = cba(y, n + "0", F.hardswish, k=1)
            j = 1
        y = cba(y, n + str(j), F.hardswish, s=s, g=h)
        y = se(y, n + str(j + 1))
        y = p.bn(p.conv(y, n + f"{j + 2}.0"), n + f"{j + 2}.1")
        x = x + y if s == 1 and y.shape == x.shape else y
    return {"logits": p.fc(gap(x), "classifier")}


def autoencoder(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = F.elu(p.fc(i["image"].flatten(1), "encoder.0"), 0.5)
    c = torch.tanh(p.fc(x, "encoder.2"))
    y = torch.sigmoid(p.fc(F.selu(p.fc(c, "decoder.0")), "decoder.2"))
    return {"code": c, "image_out": y.reshape(-1, 1, 6, 7)}


def unet(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def dbl(x, n):
        x = F.silu(
            F.group_norm(
                p.conv(x, n + ".conv1", padding=1), 2, p[n + ".groupnorm1.weight"], p[n + ".groupnorm1.bias"]
            )
        )
        x = p.conv(F.pad(x, (1, 1, 1, 1), mode="reflect"), n + ".conv2")
        return F.mish(
            F.instance_norm(x, weight=p[n + ".instancenorm1.weight"], bias=p[n + ".instancenorm1.bias"])
        )

    def enc(x):
        a = dbl(x, "level0")
        return [a, dbl(F.max_pool2d(a, 2), "level1")]

    b = enc(i["before"])
    a = enc(i["after"])
    return {f"change/{k}": p.conv(b[k] - a[k], f"head{k}") for k in (0, 1)}


def siamese(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def tw(x):
        x = F.leaky_relu(p.bn(p.conv(x, "tower.0", stride=2), "tower.1"), 0.1)
        return p.fc(F.max_pool2d(x, 3, 2, ceil_mode=True).flatten(1), "tower.5")

    left = F.normalize(tw(i["left"]), dim=1) * p["l2norm1.weight"]
    r = F.normalize(tw(i["right"]), dim=1) * p["l2norm2.weight"]
    return {"cosine": (left * r).sum(1), "embedding": left}


def audio(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = p.conv(i["wave"], "conv1")
    sk = 0
    for k, d in enumerate((1, 2, 4)):
        n = f"res.{k}."
        q = F.pad(x, (2 * d, 0))
        s = p.conv(
            torch.tanh(p.conv(q, n + "filter", dilation=d))
            * torch.sigmoid(p.conv(q, n + "gate", dilation=d)),
            n + "conv3",
        )
        sk = sk + s
        x = x + s
    x = F.max_pool1d(relu(sk), 4)
    x = relu(p.bn(p.conv(x, "conv2", stride=2, padding=2), "batchnorm1"))
    return {"logits": p.fc(gap(x), "fc1")}


def video(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = F.prelu(p.bn(p.conv(i["clip"], "conv1", padding=1), "batchnorm1"), p["prelu1.weight"])
    x = F.max_pool3d(x, (1, 2, 2))
    x = p.conv(F.pad(x, (0, 1, 0, 0, 1, 1)), "conv2", stride=(2, 1, 2))
    x = F.gelu(F.instance_norm(x))
    x = F.avg_pool3d(x, (2, 3, 2), (2, 2, 2), (1, 1, 0), ceil_mode=True, count_include_pad=False)
    x = F.adaptive_max_pool3d(x, (1, 2, 2)).flatten(1)
    return {"probs": torch.softmax(p.fc(x, "fc1"), 1)}


def multi(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = relu(p.conv(F.pad(i["image"], (0, 1, 0, 1)), "conv1", stride=2)).amax((2, 3))
    t = F.softplus(p.fc(i["table"], "fc1"))
    h = relu(p.fc(torch.cat([x, t], 1), "trunk"))
    return {"class": torch.log_softmax(p.fc(h, "cls"), 1), "value": p.fc(h, "reg")[:, 0]}


def lenet98(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = F.avg_pool2d(torch.tanh(p.conv(i["image"], "c1")), 2)
    x = torch.sigmoid(x * p["s2.weight"].view(1, -1, 1, 1) + p["s2.bias"].view(1, -1, 1, 1))
    t = [[0, 1, 2], [1, 2, 3], [0, 1, 2, 3]]
    x = torch.tanh(torch.cat([p.conv(x[:, r], f"c3.{k}") for k, r in enumerate(t)], 1))
    x = torch.tanh(p.fc(x.flatten(1), "f6"))
    return {"distances": ((x[:, None] - p["centers"][None]) ** 2).sum(2)}


def recursion(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def unit(x, n):
        return relu(p.bn(p.conv(x, n + ".conv1", padding=1), n + ".batchnorm1"))

    def fr(c, x, n):
        if c == 1:
            return unit(x, n + ".unit1")
        return (unit(x, n + ".unit1") + fr(c - 1, fr(c - 1, x, n + ".fractal1"), n + ".fractal2")) / 2

    x = i["image"]
    for k in (1, 2):
        x = F.max_pool2d(fr(3, x, f"fractal{k}"), 2, ceil_mode=True)
    return {"logits": p.fc(x.flatten(1), "fc1")}


def imports(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def gn(x, n, g):
        return F.group_norm(x, g, p[n + ".weight"], p[n + ".bias"])

    x = F.gelu(gn(p.conv(i["image"], "convnormact1.conv1", padding=1), "convnormact1.groupnorm1", 3))
    x = F.prelu(
        gn(p.conv(x, "convnormact2.conv1", padding=(1, 2)), "convnormact2.groupnorm1", 2),
        p["convnormact2.prelu1.weight"],
    )
    x = F.elu(p.channelwise_norm(p.conv(x, "convnormact3.conv1", padding=1), "convnormact3.layernorm1"), 0.3)
    return {"logits": p.fc(gap(x), "fc1")}


def fcn(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = F.max_pool2d(relu(p.conv(i["image"], "conv1", stride=2)), 3, 2, ceil_mode=True)
    x = p.conv(F.pad(x, (1, 1, 1, 1), mode="replicate"), "conv2")
    x = relu(F.normalize(x, dim=1) * p["l2norm1.weight"].view(1, -1, 1, 1))
    m = p.conv(F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), "score")
    return {"map": m, "class": torch.softmax(gap(m), 1)}


def raw(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = i["image"] * p["gamma"] + p["table"] + p["shift"]
    return {"logits": p.fc(F.hardswish(p.bn(p.conv(x, "conv1", groups=2), "batchnorm1")).flatten(1), "fc1")}


def asides(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = relu(p.conv(i["image"], "conv1"))
    o = {"early": gap(x)}
    if p.training:
        o["aux"] = p.fc(gap(relu(p.bn(p.conv(x, "conv2"), "batchnorm1"))), "fc1")
    o["logits"] = p.fc(gap(relu(p.bn(p.conv(x, "conv3"), "batchnorm2"))), "fc2")
    return o


def shuffle(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = relu(p.bn(p.conv(i["image"], "conv1", groups=2), "batchnorm1"))
    n, c, h, w = x.shape
    x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
    x = p.bn(p.conv(x, "conv2", padding=1, groups=8), "batchnorm2")[:, :4]
    return {"logits": p.fc(torch.cat([x.amax(3).flatten(1), x.mean(2).flatten(1)], 1), "fc1")}


def mixer(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = p.conv(i["image"], "patches", stride=4).flatten(2)
    for k in (1, 2):
        n = f"mixer{k}."
        x = x + p.fc(F.gelu(p.fc(p.channelwise_norm(x, n + "layernorm1"), n + "token")), n + "token2")
        x = x + p.channelwise_fc(
            F.gelu(p.channelwise_fc(p.channelwise_norm(x, n + "layernorm2"), n + "chan")), n + "chan2"
        )
    return {"logits": p.fc(gap(p.channelwise_norm(x, "layernorm1")), "fc1")}


def convnext(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = p.channelwise_norm(p.conv(i["image"], "downsample.0.0", stride=4), "downsample.0.1")

    def blk(x, n):
        y = p.channelwise_norm(p.conv(x, n + "dwconv", padding=3, groups=x.shape[1]), n + "norm", 1e-6)
        y = p.channelwise_fc(F.gelu(p.channelwise_fc(y, n + "pw1")), n + "pw2")
        return x + y * p[n + "gamma"]

    x = blk(x, "stages.0.0.")
    x = p.conv(p.channelwise_norm(x, "downsample.1.0"), "downsample.1.1", stride=2)
    x = blk(blk(x, "stages.1.0."), "stages.1.1.")
    return {"logits": p.fc(p.channelwise_norm(x.mean((2, 3), keepdim=True), "norm").flatten(1), "head")}


def maxout(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = torch.stack([p.conv(i["x"], f"piece{k}", dilation=2) for k in range(3)]).amax(0)
    x = F.avg_pool2d(x, 3, 2, 1, divisor_override=9)
    return {"y": torch.stack([p.fc(x.flatten(1), f"fc{k}") for k in (1, 2, 3)]).amax(0)}


def spp(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = F.relu6(p.conv(i["image"], "conv1", padding=1))
    return {"logits": p.fc(torch.cat([F.adaptive_avg_pool2d(x, n).flatten(1) for n in (1, 2, 3)], 1), "fc1")}


def pads(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = F.pad(i["x"], (0, 3, 1, 2), mode="circular")
    x = F.pad(x, (2, 1, 1, 0))
    x = relu(p.conv(x, "conv1", stride=(2, 3), dilation=(2, 1), groups=2))
    # Caffe's pool of 3x2, stride 2x1, padded by (1, 0)
    n, c, h, w = x.shape
    oh = math.ceil((h + 2 - 3) / 2) + 1
    oh -= (oh - 1) * 2 >= h + 1
    ow = math.ceil((w - 2) / 1) + 1
    pe = max(0, (oh - 1) * 2 + 3 - h - 1)
    x = F.max_pool2d(F.pad(x, (0, 0, 1, pe), value=-1e300), (3, 2), (2, 1))[:, :, :oh, :ow]
    # `same` of 2x3 at stride 1 pads (0, 1) and (1, 1)
    q = F.pad(x, (1, 1, 0, 1))
    o = F.pad(torch.ones_like(x), (1, 1, 0, 1))
    x = F.avg_pool2d(q, (2, 3), 1) / F.avg_pool2d(o, (2, 3), 1)
    s = F.pad(x**2, (0, 0, 0, 0, 1, 1))
    s = s[:, :-2] + s[:, 1:-1] + s[:, 2:]
    x = x / (1.5 + 0.1 * s) ** 0.5
    return {"y": p.fc(x.flatten(1), "fc1")}


def comprehension(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = F.max_pool2d(relu(p.conv(i["image"], "conv1", padding=1)), 2)
    x = F.max_pool2d(relu(p.conv(x, "conv2", padding=1)), 2)
    return {"y": p.fc(torch.sigmoid(p.conv(x, "conv3", padding=1)).flatten(1), "fc1")}


def classic(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = relu(p.conv(i["image"], "conv1", stride=4))
    x = F.local_response_norm(x, 5, 5e-2, 0.75, 2.0)
    x = F.max_pool2d(x, 3, 2)
    x = relu(p.conv(x, "conv2", padding=1, groups=2)).flatten(1)
    x = relu(p.fc(x, "fc6"))
    x = x * 0.5
    return {"prob": torch.softmax(p.fc(x, "fc8"), 1)}


def groups(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = i["data"]
    for n in ("res2a", "res2b"):
        for b, k in (("2a", 0), ("2b", 1)):
            x = relu(p.bn(p.conv(x, f"{n}_branch{b}", padding=k), f"{n}_branch{b}_bn"))
    return {"prob": p.fc(gap(x), "head.out")}


def yolo(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    def cbl(x, n, s=1):
        return F.leaky_relu(p.bn(p.conv(x, n + ".conv1", stride=s, padding=1), n + ".batchnorm1", 0.03), 0.1)

    f = cbl(cbl(cbl(i["image"], "backbone.0"), "backbone.1", 2), "backbone.2", 2)
    c = cbl(f, "neck.0", 2)
    return {"yolo/13": p.conv(c, "heads.0"), "yolo/26": p.conv(f, "heads.1")}


def nin(p: Weights, i: Mapping[str, Tensor]) -> dict[str, Tensor]:
    x = i["image"]

    def mlp(x, n, pad):
        for k in (1, 2, 3):
            x = relu(p.conv(x, f"{n}.conv{k}", padding=pad if k == 1 else 0))
        return x

    x = F.max_pool2d(mlp(x, "mlpconv1", 2), 3, 2, 1)
    x = F.avg_pool2d(mlp(x, "mlpconv2", 2), 3, 2, 1)
    return {"logits": gap(mlp(x, "mlpconv3", 1))}

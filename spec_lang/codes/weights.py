"""E5: weights: the rules of `init`, and files of weights."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code("E500", "unknown initialisation rule", """
A line of `init` gives a rule that does not exist.  There are `he`, `xavier`, `lecun`, `normal`,
`uniform`, `sparse`, `orthogonal`, `constant`, `zeros` and `ones`.
""",
         """model m { input image: [1, 8, 8]
    init { fc = kaiming(normal) }
    flatten -> fc(2)
}
""",
         """model m { input image: [1, 8, 8]
    init { fc = he(normal) }
    flatten -> fc(2)
}
"""),
    Code("E501", "rule of `init` matches nothing", """
The left side of a line of `init` is a layer's name (`conv`), or a string with a path: of a layer
(`"fc1"`), the first steps of several (`"layer1"`), or of one weight (`"fc1.bias"`).  A word and a
layer's path mean the tensor `weight` of the layers; the first steps of several paths mean that of
the convolutions and fully connected layers below, so that normalisations keep their ones.  Where
nothing matches, the line would have no effect, and is probably a typing mistake.
""",
         """model m { input image: [1, 8, 8]
    init { "fc3" = normal(0.01) }
    flatten -> fc(2)
}
""",
         """model m { input image: [1, 8, 8]
    init { "fc1" = normal(0.01) }
    flatten -> fc(2)
}
"""),
    Code("E502", "equal initial weights", """
All weights of a convolution or fully connected layer would start with the same number.  Then all of
its units compute the same, get the same gradient, and stay equal however long they train: the
layer is worth one unit.  Random numbers break the symmetry; biases may well start at zero.
""",
         """model m { input image: [1, 8, 8]
    init { fc = zeros }
    flatten -> fc(2)
}
""",
         """model m { input image: [1, 8, 8]
    init { fc = xavier(uniform)  "fc1.bias" = constant(0.1) }
    flatten -> fc(2)
}
"""),
    Code("E503", "rule does not fit the weight", """
The rule needs something that this weight has not: `orthogonal` and `sparse` need a matrix, `he`,
`xavier` and `lecun` need a fan-in, and a raw weight with a `value` has its numbers already.
""",
         """model m { input image: [1, 8, 8]
    init { "fc1.bias" = orthogonal }
    flatten -> fc(2)
}
""",
         """model m { input image: [1, 8, 8]
    init { "fc1" = orthogonal }
    flatten -> fc(2)
}
"""),
    Code("E510", "weight missing from the file", """
Loading is strict: the file must have every weight of the model under its name.  Only what a
`training { ... }` branch uses may be missing when the weights are loaded for inference.

    cnnc train net.cnn --data images --weights old.pth --rename backbone= --rename fc=head
    cnnc train net.cnn --data images --weights old.pth --partial

The first gives weights of the file other names (see E519); with the second, what is missing keeps its
initial values, and what the model lacks is left out.
"""),
    Code("E511", "unexpected weight in the file", """
Loading is strict: the file has a weight that the model has not, so it is of another model, or of
another variant of it.  PyTorch's counters `num_batches_tracked` are ignored, and a `module.` in front of
every name (DataParallel's) is taken off.
"""),
    Code("E512", "weight of another shape", """
The file and the model both have this weight, in different shapes: another number of classes or
channels, or a matrix that lies the other way.  Convolutions are [out, in / groups, kernel...], fully
connected layers [out, in].  Where that is on purpose, an operation says so:

    cnnc train resnet50 --set classes=10 --data images --weights resnet50.pth --adapt head

`head` keeps initial values where the number of classes is another one, `fc_to_conv` takes the matrix of
a fully connected layer for a convolution over the whole map.  `--partial` does not: a weight of another
shape is not missing.
"""),
    Code("E513", "weights that are not floats", """
The file holds integers, booleans, complex, sparse or quantised numbers where the model has
weights.  Only float16, bfloat16, float32 and float64 are read; they are converted, and the report says so.
"""),
    Code("E514", "weights that are not finite", """
A weight holds NaN or infinity, mostly because a training diverged or a conversion to a smaller float type
overflowed.  Everything that is computed from it would be NaN too.
"""),
    Code("E515", "not a file of weights", """
The file does not exist, is no regular file, or is neither safetensors nor a file that PyTorch
wrote.  Of PyTorch's files only dictionaries of tensors are read (`torch.save(model.state_dict(), path)`),
alone or under the key `state_dict_ema`, `model_ema`, `state_dict`, `model_state_dict`, `model_state` or
`model`, the first of these that is there.  Whole pickled models are refused, because reading them means
to run code from the file.
"""),
    Code("E516", "damaged safetensors file", """
The header of the file is not as it should be: it is cut short, is no JSON, a name is there twice, a
shape does not match its bytes, tensors overlap or leave gaps.  The place is the byte in the file.
"""),
    Code("E517", "checksum differs", """
Files that cnnc writes carry a SHA-256 over everything in them.  This file's content is not what was
written: it was damaged on a disk or on the way, or edited.  Get it again.
"""),
    Code("E518", "tensor larger than its data", """
A tensor in a PyTorch file claims more numbers than the file has for it, by strides of zero or
that overlap.  Such a file of a kilobyte can fill the memory, so it is refused.
"""),
    Code("E519", "rule that renames without effect", """
A rule OLD=NEW of `--rename`, or of the table that `--rename @FILE` reads, is not well formed, fits no
name in the file, or brings two names together.  OLD is a name or its first dotted steps; the rest of the
name is kept.  Each name is changed by the first rule that fits it, once.

    fc=head                       fc.weight to head.weight
    backbone=                     backbone.conv1.weight to conv1.weight
    =features                     conv1.weight to features.conv1.weight
    layers.*.norm=features.*.1    `*` stands for any characters of a step
    **.gamma=**.weight            `**` stands for any number of steps

A table has a rule `OLD = NEW` on each line; what follows a `#` is a comment.
"""),
    Code("E520", "operation on weights that does nothing", """
An operation of `--adapt` that does not exist, cannot be done with this model, or changes nothing, so that
it is not what was meant.

    head          another number of classes: what depends on it keeps its initial values
    fc_to_conv    matrices in the file, [out, channels * height * width], are convolutions in the model
    bgr_to_rgb    the file is of a network that takes blue, green, red: the input channels of the first
                  convolutions are turned round (or the other way)

For `head`, what differs may only be how many channels the last layers before the outputs make.  For
`bgr_to_rgb`, convolutions of one group must be the first to see an image of three channels.
"""),
    Code("E521", "nothing taken from the file", """
With `--partial`, names may be missing and unexpected, but at least one weight must come from the file:
otherwise it is of another model, or its names are other ones.  `--rename` brings names together.
"""),
)

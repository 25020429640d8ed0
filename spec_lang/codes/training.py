"""E8: training."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code("E800", "unknown setting", """
A `train` section sets something that does not exist.  There are `loss`, `optimizer`, `schedule`,
`epochs`, `batch`, `metrics` and `freeze`.
""",
         """model m { input image: [1, 8, 8]
    flatten -> fc(2)
}
train m { optimiser = sgd(lr = 0.1) }
""",
         """model m { input image: [1, 8, 8]
    flatten -> fc(2)
}
train m { optimizer = sgd(lr = 0.1) }
"""),
    Code("E801", "value that a setting does not take", """
Each setting takes values of one kind: `loss` is `crossentropy`; `optimizer` is `sgd` or `adam`;
`schedule` is `constant` or `cosine`; `epochs` and `batch` are whole numbers from 1; `metrics` is a list of
`accuracy` and `top5`; `freeze` is a pattern of names of weights in quotes, or a list of them.
""",
         """model m { input image: [1, 8, 8]
    flatten -> fc(2)
}
train m { epochs = 0 }
""",
         """model m { input image: [1, 8, 8]
    flatten -> fc(2)
}
train m { epochs = 1 }
"""),
    Code("E802", "setting given twice", """
A setting stands twice in a `train` section.  Which one is meant cannot be told.
""",
         """model m { input image: [1, 8, 8]
    flatten -> fc(2)
}
train m {
    batch = 32
    batch = 64
}
""",
         """model m { input image: [1, 8, 8]
    flatten -> fc(2)
}
train m { batch = 64 }
"""),
    Code("E803", "settings that contradict each other", """
Each setting is fine alone, but not together: Nesterov's step looks ahead along the momentum, so it
needs some; a warm-up must end before the training does; and a training that goes on from a checkpoint
starts from no other weights.
""",
         """model m { input image: [1, 8, 8]
    flatten -> fc(2)
}
train m {
    schedule = cosine(warmup = 5)
    epochs = 5
}
""",
         """model m { input image: [1, 8, 8]
    flatten -> fc(2)
}
train m {
    schedule = cosine(warmup = 1)
    epochs = 5
}
"""),
    Code("E804", "training diverged", """
The loss is infinite or not a number.  Mostly the learning rate is too high, or the images are not
brought to a small range (`preprocess { rescale(1 / 255) }`).  The last checkpoint is from before.
"""),
    Code("E806", "checkpoint of another training", """
Training goes on exactly as it would have if it had not stopped.  That needs a checkpoint (not
a file of weights alone) of the same model, settings, data, seed and backend.  With `schedule =
constant` the number of epochs may differ; a cosine depends on it.
"""),
    Code("E807", "`freeze` names no weights", """
A path in `freeze` is the first steps of names of weights (`layer1`, `layer4.0.conv1`) or a whole name
(`fc.bias`), where `*` stands for any characters of one step and a step `**` for any number of steps.  No
weight of the model is at this one, so it would freeze nothing, or except nothing.  `cnnc summary` prints
the paths.
""",
         """model m { input image: [1, 8, 8]
    conv1: conv(4, 3x3) -> relu
    flatten -> fc: fc(2)
}
train m { freeze = "conv2" }
""",
         """model m { input image: [1, 8, 8]
    conv1: conv(4, 3x3) -> relu
    flatten -> fc: fc(2)
}
train m { freeze = "conv1" }
"""),
    Code("E808", "`freeze` leaves nothing to be trained", """
Every weight that training could change is frozen.  Leave out at least the layers that are to learn:
`"all but fc"`.
""",
         """model m { input image: [1, 8, 8]
    conv1: conv(4, 3x3) -> relu
    flatten -> fc: fc(2)
}
train m { freeze = "all" }
""",
         """model m { input image: [1, 8, 8]
    conv1: conv(4, 3x3) -> relu
    flatten -> fc: fc(2)
}
train m { freeze = "all but fc" }
"""),
    Code("E820", "model that is no classifier", """
Training and evaluation here are of classifiers: one image in, one vector of class scores out.  This
model has more inputs or outputs, or an output of another shape.
"""),
    Code("E821", "label out of range", """
A label is not one of the model's classes.  Labels count from 0.
"""),
)

"""E38: the steps of `preprocess`."""

from __future__ import annotations

from spec_lang.codes.base import Code

CODES: tuple[Code, ...] = (
    Code("E380", "unknown pre-processing step", """
`preprocess { ... }` knows `resize`, `centercrop`, `rescale`, `normalize`, `grayscale` and `bgr`.
What only training needs (flips, random crops) belongs to `augment` in a `train` section.
""",
         """model m { input image: [1, 8, 8]
    preprocess { scale(0.5) }
    flatten -> fc(2)
}
""",
         """model m { input image: [1, 8, 8]
    preprocess { rescale(0.5) }
    flatten -> fc(2)
}
"""),
    Code("E381", "step does not fit the image", """
A step cannot work on the image that reaches it: a crop that is larger than the image, as many
means as there are not channels, `grayscale` or `bgr` on something other than three channels.
Images come in as RGB, or grey where the model has one channel and no step is `grayscale`.
""",
         """model m { input image: [3, 8, 8]
    preprocess { normalize(mean = [0.1, 0.2], std = [1, 1]) }
    flatten -> fc(2)
}
""",
         """model m { input image: [3, 8, 8]
    preprocess { normalize(mean = [0.1, 0.2, 0.3], std = [1, 1, 1]) }
    flatten -> fc(2)
}
"""),
    Code("E382", "pre-processing ends at another shape", """
What the steps make is what the model takes: channels, height and width must be those of the
`input`.  Extents that no step sets are those of the image itself, and are checked when one comes.
""",
         """model m { input image: [1, 8, 8]
    preprocess { resize(9x8) }
    flatten -> fc(2)
}
""",
         """model m { input image: [1, 8, 8]
    preprocess { resize(8x8) }
    flatten -> fc(2)
}
"""),
)

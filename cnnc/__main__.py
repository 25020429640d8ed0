"""`python -m cnnc` is the command `cnnc`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # `-m` puts the working folder in front: a `torch.py` there, such as we generate, is not what we import.
    ours = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != ours:
        del sys.path[0]

    from cnnc.cli import main

    sys.exit(main())

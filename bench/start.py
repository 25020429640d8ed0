"""Whole processes: what a command costs over a Python that does nothing."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from interleave import against, show

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "cnnc check lenet5": ["-m", "cnnc", "check", "lenet5"],
    "cnnc summary vgg16": ["-m", "cnnc", "summary", "vgg16"],
    "cnnc explain E301": ["-m", "cnnc", "explain", "E301"],
}


def main() -> None:
    candidates = {
        name: partial(subprocess.run, [sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
        for name, words in COMMANDS.items()
    }
    show("over a Python that does nothing", against("python -c pass", candidates))


if __name__ == "__main__":
    main()

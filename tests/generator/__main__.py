"""`python -m tests.generator --help`."""

from __future__ import annotations

import sys

from tests.generator.campaign import main

if __name__ == "__main__":  # the workers import this file, too
    sys.exit(main())

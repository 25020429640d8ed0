"""`python -m tests.mutation --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.mutation import campaign
from tests.mutation.modules import ROOT
from tests.mutation.tool import ToolMissing


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description="Changes the emitters and the declarations of layers in small ways, one at a time, and "
        "says which changes the tests of their module notice.  A run that was ended goes on where it was.",
    )
    parser.add_argument("--sample", type=int, default=1000, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="how many are tested at once")
    parser.add_argument("--only", default="", help="files whose path begins so, such as backends/onnx/")
    parser.add_argument(
        "--again",
        type=Path,
        metavar="FILE",
        help="only what survived the run that wrote this file of progress",
    )
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "mutation", help="where progress is kept"
    )
    options = parser.parse_args()
    try:
        return campaign.run(
            options.sample, options.seed, options.jobs, options.folder.resolve(), options.only, options.again
        )
    except ToolMissing as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

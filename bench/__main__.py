"""`python -m bench COMMAND...`: measure, print, note the lines in RESULTS.md; without a command, all."""

from __future__ import annotations

import argparse
import os

from bench.commands import COMMANDS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:<12} {run.__doc__.splitlines()[0]}" for name, run in COMMANDS.items()),
    )
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help="of those below")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2, help="for every contender")
    parser.add_argument("--dry", action="store_true", help="leave RESULTS.md as it is")
    given = parser.parse_args()
    unknown = [name for name in given.commands if name not in COMMANDS]
    if unknown:
        parser.error(f"no command {', '.join(unknown)}; there are {', '.join(COMMANDS)}")
    if given.rounds < 1 or given.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    # Before NumPy, PyTorch and onnxruntime are imported: they read it then.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(given.threads)
    from bench.results import note

    for name in given.commands or COMMANDS:
        lines = []
        for line in COMMANDS[name](given.rounds, given.threads):
            lines.append(line)
            goal = "" if line.goal is None else f"   goal {line.goal:g}: {line.verdict}"
            ratios = f"best {line.ratio.best:.3g}, paired {line.ratio.paired:.3g}"
            print(f"{line.what} over {line.peer}: {ratios}{goal}", flush=True)
        if not given.dry:
            note(name, lines, given.rounds, given.threads)


if __name__ == "__main__":
    main()

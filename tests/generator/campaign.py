"""`python -m tests.generator --count 5000 --seed 1 --jobs 2`: many random specs, and what fails made small.

A run is told by its seeds, `seed` to `seed + count - 1`; to go on with one, start at the seed that it
printed last. What fails is printed, and with `--keep` its shrunk form written into that folder.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.generator.random_spec import random_spec
from tests.generator.wrong import accepted_against_pytorch, examine_wrong


@dataclass(frozen=True)
class Outcome:
    """What one seed gave: its findings, each with the smallest spec that has it."""

    seed: int
    layers: int
    findings: tuple[tuple[str, str, str], ...]
    skipped: tuple[str, ...]


def start() -> None:
    import torch

    torch.set_num_threads(1)


def one(seed: int, largest: int, wrong: int, shrink: bool) -> Outcome:
    from tests.generator.differential import examine, smallest

    spec = random_spec(seed, largest)
    made = examine(spec.text, seed)
    findings = []
    for finding in dict.fromkeys(made.findings):
        small = smallest(spec.text, finding, seed) if shrink else spec.text
        findings.append((finding.kind, finding.detail, small))
    if made.graph is not None:
        _, accepted = accepted_against_pytorch(spec.text, seed, 2 * wrong)
        for finding, text in [*examine_wrong(spec.text, seed, wrong), *accepted]:
            findings.append((finding.kind, finding.detail, text))
    return Outcome(seed, len(made.graph.nodes) if made.graph else 0, tuple(findings), tuple(made.skipped))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.generator", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--largest", type=int, default=60, help="layers of the largest spec")
    parser.add_argument("--wrong", type=int, default=1, help="wrong specs made of each")
    parser.add_argument("--keep", type=Path, help="a folder for shrunk specs that fail")
    parser.add_argument("--print", action="store_true", help="print the specs and do nothing else")
    parser.add_argument("--no-shrink", dest="shrink", action="store_false")
    given = parser.parse_args(arguments)
    seeds = range(given.seed, given.seed + given.count)
    if given.print:
        for seed in seeds:
            print(f"# seed {seed}\n{random_spec(seed, given.largest).text}")
        return 0
    failed: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    begun, layers = time.monotonic(), 0
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn"), initializer=start) as pool:
        repeated = [[value] * given.count for value in (given.largest, given.wrong, given.shrink)]
        for done, outcome in enumerate(pool.map(one, seeds, *repeated, chunksize=4), 1):
            layers += outcome.layers
            skipped.update(re.sub(r"`.*", "", text) for text in outcome.skipped)
            for kind, detail, text in outcome.findings:
                failed[kind] += 1
                print(f"seed {outcome.seed}: {kind}: {detail}\n{text}", flush=True)
                if given.keep is not None:
                    name = re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_")
                    given.keep.mkdir(parents=True, exist_ok=True)
                    (given.keep / f"{name}_{outcome.seed}.cnn").write_text(text, encoding="utf-8")
            if done % 50 == 0 or done == given.count:
                passed = time.monotonic() - begun
                print(
                    f"{done} of {given.count}, to seed {outcome.seed}: {sum(failed.values())} findings, "
                    f"{layers} layers, {passed:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
    for kind, count in failed.most_common():
        print(f"{count} x {kind}")
    for why, count in sorted(skipped.items()):
        print(f"not compared {count} times: {why}")
    return 1 if failed else 0

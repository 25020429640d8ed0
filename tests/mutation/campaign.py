"""The long form: a seeded sample of all mutants, each against the tests of its module."""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.mutation import operators, tool
from tests.mutation.known import SURVIVOR, Known, known
from tests.mutation.modules import COPIED, MODULES, Module, copied, files, included, module_of, own_tests
from tests.mutation.mutants import Edit, is_mutant
from tests.mutation.plan import Traced, chosen_tests
from tests.mutation.server import EARLY
from tests.mutation.workplace import Workplace

#: One in so many of the sample is left as it is: it has to survive, or the others prove nothing.
CONTROLS = 50


@dataclass(frozen=True)
class Snapshot:
    """The project as it was when the campaign began: nobody's edits reach it."""

    root: Path

    def source(self, file: str) -> str:
        return (self.root / file).read_text(encoding="utf-8")

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what is mutated and tested."""
        made = hashlib.sha256()
        for name in COPIED:
            path = self.root / name
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                known = file.relative_to(self.root).as_posix()
                if (
                    file.suffix in (".py", ".cnn", ".json", ".toml", ".lark")
                    and "tests/mutation" not in known
                ):
                    made.update(known.encode() + b"\0" + file.read_bytes())
        return made.hexdigest()[:16]

    def edits(self, only: str = "") -> dict[tuple[str, int, int, str], list[Edit]]:
        """(file, begin, end, kind of change) -> what may stand there instead."""
        places: dict[tuple[str, int, int, str], list[Edit]] = {}
        for module in MODULES:
            for file in files(module, self.root):
                if file.startswith(only):
                    source = self.source(file)
                    for edit in (*tool.edits(file, source), *operators.edits(file, source)):
                        kind = edit.operator.split("_")[0]
                        places.setdefault((file, edit.start, edit.end, kind), []).append(edit)
        return places

    def sample(self, count: int, seed: int, only: str = "") -> Iterator[Edit]:
        """`count` mutants: places and kinds in random order, each once, with one of the changes possible there."""
        places = self.edits(only)
        rng, given = random.Random(seed), 0
        for place in rng.sample(sorted(places), len(places)):
            if given == count:
                return
            choices = places[place]
            edit = choices[rng.randrange(len(choices))]
            source = self.source(edit.file)
            if is_mutant(source, edit.apply(source)):
                given += 1
                yield edit.trimmed(source)


class Judge:
    """Runs the tests for mutants of a snapshot; used by one thread at a time."""

    def __init__(self, snapshot: Snapshot, folder: Path) -> None:
        self.snapshot = snapshot
        self.folder = folder
        self.workplace = Workplace(snapshot.root)
        self._traced: dict[str, Traced] = {}
        self._places: dict[str, dict[str, int]] = {}

    def traced(self, module: Module) -> Traced:
        """The tests of a module with what they run; they have to pass.  Kept while nothing changes."""
        if module.name in self._traced:
            return self._traced[module.name]
        kept = self.folder / f"lines-{module.name}-{self.snapshot.fingerprint}.json"
        if not kept.exists():
            print(f"running the tests of {module.name} to see which lines each runs", flush=True)
            root = self.snapshot.root
            answer = self.workplace.ask(
                trace=str(kept),
                files=files(module, root),
                included=included(module, root),
                paths=own_tests(module, root),
                seconds=3600,
            )
            if answer["code"] != 0 or answer["failed"]:
                kept.unlink(missing_ok=True)
                raise SystemExit(f"the tests of {module.name} fail without a mutant: {answer}")
        self._traced[module.name] = Traced.of(json.loads(kept.read_text(encoding="utf-8")))
        places = kept.with_name(kept.name.replace("lines-", "places-"))
        if not places.exists():
            self.workplace.ask(collect=str(places), paths=own_tests(module, self.snapshot.root), seconds=600)
        self._places |= json.loads(places.read_text(encoding="utf-8"))
        return self._traced[module.name]

    def judge(self, edit: Edit, *, leave: bool = False) -> dict[str, Any]:
        """What the tests say to a mutant, or with `leave` to the file as it is."""
        root = self.snapshot.root
        module, source = module_of(edit.file, root), self.snapshot.source(edit.file)
        traced = self.traced(module)
        chosen = chosen_tests(edit, source, included(module, root), traced)
        mutant = {} if leave else {"file": edit.file, "source": edit.apply(source)}
        answer = self.workplace.ask(
            paths=sorted({test.split("::")[0] for test in chosen}),
            ids=chosen,
            places={test: self._places[test] for test in chosen[:EARLY]},
            seconds=20 + 5 * sum(traced.seconds[t] for t in chosen),
            **mutant,
        )
        if answer["code"] == 5 or (answer["code"] == 0 and answer["ran"] == 0):
            raise SystemExit(f"no test ran for {edit.shown(source)}: {answer}")
        return {"caught": answer["code"] != 0, "by": answer["failed"], "seconds": answer["seconds"]}


def survivors(snapshot: Snapshot, before: Path) -> Iterator[Edit]:
    """The mutants that survived an earlier run, whose file of progress is given."""
    for row in sorted(read(before), key=lambda row: row["number"]):
        if not row["caught"]:
            edit = Edit(row["file"], row["operator"], row["start"], row["end"], row["text"])
            if edit.shown(snapshot.source(edit.file)) != row["shown"]:
                raise SystemExit(f"{edit.file} is no longer what it was when {row['shown']} survived")
            yield edit


def run(count: int, seed: int, jobs: int, folder: Path, only: str = "", before: Path | None = None) -> int:
    """Run it, print what comes of it, and return the exit status: 1 if fewer than 95 % are caught.

    With `before`, a file of progress, only what survived then is tried again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutation-") as place:
        copied(Path(place))
        snapshot = Snapshot(Path(place))
        edits = list(survivors(snapshot, before) if before else snapshot.sample(count, seed, only))
        chosen = hashlib.sha256(repr(edits).encode()).hexdigest()[:8]
        name = f"{count}-{seed}-{snapshot.fingerprint}-{chosen}"
        progress = folder / f"progress-{name}.jsonl"
        done = {row["number"]: row for row in read(progress)}
        controls = set(random.Random(seed).sample(range(len(edits)), -(-len(edits) // CONTROLS)))
        print(f"{len(edits)} mutants of seed {seed}, {len(done)} done; {len(controls)} controls", flush=True)
        waiting = iter([n for n in range(len(edits)) if n not in done])
        lock, start = threading.Lock(), time.monotonic()
        with ExitStack() as stack:
            judges = [Judge(snapshot, folder) for _ in range(jobs)]
            for judge in judges:
                stack.enter_context(judge.workplace)
            left = {module_of(e.file, snapshot.root) for n, e in enumerate(edits) if n not in done}
            needed = [module for module in MODULES if module in left]

            def trace(i: int) -> None:
                for module in needed[i::jobs]:
                    judges[i].traced(module)

            with ThreadPoolExecutor(jobs) as pool:
                list(pool.map(trace, range(jobs)))

            def work(judge: Judge) -> None:
                while True:
                    with lock:
                        number = next(waiting, None)
                    if number is None:
                        return
                    edit = edits[number]
                    row = {"number": number, "shown": edit.shown(snapshot.source(edit.file)), **asdict(edit)}
                    row["control"] = judge.judge(edit, leave=True)["by"] if number in controls else ""
                    row |= judge.judge(edit)
                    with lock:
                        done[number] = row
                        with progress.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(row) + "\n")
                    if not row["caught"]:
                        print(f"survived {number}: {row['operator']}: {row['shown']}", flush=True)

            with ThreadPoolExecutor(jobs) as pool:
                list(pool.map(work, judges))
        print(f"{time.monotonic() - start:.0f} s; every mutant: {progress}")
        return report([done[n] for n in range(len(edits))], known(), snapshot)


def read(progress: Path) -> list[dict[str, Any]]:
    """The mutants that were judged before the run was ended."""
    if not progress.exists():
        return []
    return [json.loads(line) for line in progress.read_text(encoding="utf-8").splitlines()]


def report(rows: list[dict[str, Any]], table: Known, snapshot: Snapshot) -> int:
    """Print the numbers and the survivors."""
    wrong = [row["shown"] for row in rows if row["control"]]
    survived = [row for row in rows if not row["caught"]]
    equivalent = 0
    for row in survived:
        edit = Edit(row["file"], row["operator"], row["start"], row["end"], row["text"])
        reason = table.reason(edit, snapshot.source(edit.file))
        alike = reason is not None and not reason.startswith(SURVIVOR)
        equivalent += alike
        print(f"  {'equivalent' if alike else 'survived  '} {row['shown']}" + (f": {reason}" if reason else ""))
    for module in MODULES:
        own = [row for row in rows if module_of(row["file"], snapshot.root) is module]
        if own:
            print(f"  {module.name:10} {sum(row['caught'] for row in own):5} of {len(own):5} caught")
    by_tool = [row for row in rows if row["operator"].startswith("cosmic-ray")]
    print(f"  {'Cosmic Ray':10} {sum(row['caught'] for row in by_tool):5} of {len(by_tool):5} caught")
    caught, real = len(rows) - len(survived), len(rows) - equivalent
    print(
        f"{len(rows)} mutants: {caught} caught, {len(survived) - equivalent} survived, {equivalent} equivalent: "
        f"{caught / max(real, 1):.1%} caught of those that differ, {caught / max(len(rows), 1):.1%} of all"
    )
    if wrong:
        print(f"{len(wrong)} controls failed, which are no mutants: {wrong}")
    return 1 if wrong or caught < 0.95 * real else 0

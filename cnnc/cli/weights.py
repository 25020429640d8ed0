"""`--weights` and what goes with it: `--partial`, `--rename` and `--adapt`, the same for every verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from cnnc.cli.failures import Usage
from cnnc.cli.output import note
from compiler.adapt import OPERATIONS
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from cnnc.weights_io import Loaded
    from compiler.graph import Graph
    from compiler.rename import Rule


@dataclass(frozen=True)
class Weights:
    """A file of weights that was named on the command line, and how it is to be read."""

    path: str
    partial: bool
    renames: tuple[str, ...]
    adapt: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is read, which no output may replace."""
        return (self.path, *(one[1:] for one in self.renames if one.startswith("@")))

    def read(self, graph: Graph, *, training: bool = False, seed: int = 0) -> Loaded:
        """The weights for this graph; the report goes to standard error."""
        from cnnc.weights_io import read_weights

        loaded = read_weights(
            self.path,
            graph,
            training=training,
            partial=self.partial,
            rename=self._rules(),
            adapt=self.adapt,
            seed=seed,
        )
        note(f"{self.path}: {loaded.report.summary()}")
        for line in loaded.notes:
            note(f"note: {line}")
        return loaded

    def _rules(self) -> list[Rule]:
        from cnnc.weights_io.renames import parsed, read_renames

        rules: list[Rule] = []
        for one in self.renames:
            rules += read_renames(one[1:]) if one.startswith("@") else [parsed(one)]
        return rules


def weights_options(
    help: str = "Weights: .safetensors or .pth.", *, required: bool = False
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Adds the options; the verb gets `weights`, a `Weights`, or None where no file was named."""

    def decorate(verb: Callable[..., int]) -> Callable[..., int]:
        @wraps(verb)
        def gathered(
            *,
            weights: str | None,
            partial: bool,
            rename: tuple[str, ...],
            adapt: tuple[str, ...],
            **rest: Any,
        ) -> int:
            if weights is None:
                for option, given in (("--partial", partial), ("--rename", rename), ("--adapt", adapt)):
                    if given:
                        what = f"`{option}` says how weights are read, and there is no `--weights`"
                        raise Usage(Diagnostic("E950", what))
                return verb(weights=None, **rest)
            for rule in rename:
                if "=" not in rule and not rule.startswith("@"):
                    raise Usage(
                        Diagnostic(
                            "E951",
                            f"`--rename {rule}` is not of the form OLD=NEW",
                            help=("--rename backbone.fc=head", "--rename @FILE reads a table of them"),
                        )
                    )
            return verb(weights=Weights(weights, partial, rename, adapt), **rest)

        for option in reversed(_OPTIONS):
            gathered = option(gathered)
        return click.option("--weights", "-w", required=required, metavar="FILE", help=help)(gathered)

    return decorate


_OPTIONS = (
    click.option(
        "--partial",
        is_flag=True,
        help="Weights that the file lacks keep initial values; names that the model lacks are left out.",
    ),
    click.option(
        "--rename",
        metavar="OLD=NEW",
        multiple=True,
        help="Rename weights of the file by their first steps, * and ** allowed; @FILE reads a table; "
        "may be repeated.",
    ),
    click.option(
        "--adapt",
        type=click.Choice(list(OPERATIONS)),
        multiple=True,
        help="; ".join(f"{name} {what}" for name, what in OPERATIONS.items()) + "; may be repeated.",
    ),
)

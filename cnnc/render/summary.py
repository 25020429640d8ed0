"""A summary that shows itself: plain text with `str`, a table with rich, HTML in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from compiler import summary as plain
from compiler.summary import NUMERIC, SORTS, render_html, render_plain, summarise, table, totals
from spec_lang.frozen import fields, frozen

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from compiler.graph import Graph

#: What a narrow terminal goes without, first to last; `arguments` are those of the layers.
_DISPENSABLE = ("jump", "biases", "receptive field", "arguments", "MACs", "memory", "layer")


@frozen
class Summary(plain.Summary):
    """`rows` and totals as data (see `compiler.summary`), and three ways to look at them."""

    def __str__(self) -> str:
        return render_plain(self)

    def _repr_html_(self) -> str:
        return render_html(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        headings, *rows = table(self)
        lines = [dict(zip(headings, row, strict=True)) for row in rows]
        kept, lines = fitting(lines, options.max_width, headings, SORTS[self.sort])
        drawn = Table(box=box.SIMPLE_HEAD, title=Text(self.model), title_justify="left", pad_edge=False)
        for heading in kept:
            drawn.add_column(
                heading,
                justify="right" if heading in NUMERIC else "left",
                overflow="fold",
                style="bold" if heading == "name" else None,
            )
        for line in lines:
            drawn.add_row(*(Text(line[heading]) for heading in kept))
        yield drawn
        for total in totals(self):
            yield Text(total)


def summary_of(graph: Graph, *, depth: int | None = None, sort: str = "order", batch: int = 1) -> Summary:
    """The summary of a graph; see `cnnc.summary`."""
    data = summarise(graph, batch)
    if depth is not None or sort != "order":
        from compiler import fold

        data = fold.sort(data if depth is None else fold.fold(data, graph, depth), sort)
    return Summary(*(getattr(data, name) for name in fields(plain.Summary)))


def fitting(
    lines: list[dict[str, str]], width: int, headings: Sequence[str], needed: str
) -> tuple[list[str], list[dict[str, str]]]:
    """The headings whose columns stand side by side in so many columns, and the lines to show.

    The name, the output, the parameters, and the column that is `needed` or else the weights always stay.
    """
    kept = list(headings)
    for dispensable in (*_DISPENSABLE, *(("weights",) if needed else ())):
        if dispensable == needed:
            continue
        widths = {h: max([len(h), *(len(line[h]) for line in lines)]) for h in kept}
        if sum(widths[h] + 2 for h in kept) <= width:
            break
        if dispensable == "arguments":
            lines = [line | {"layer": line["layer"].partition("(")[0]} for line in lines]
        else:
            kept.remove(dispensable)
    return kept, lines

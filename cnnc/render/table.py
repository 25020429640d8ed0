"""Plain text in columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    rules: Collection[int] = (),
) -> str:
    """Columns as wide as their widest cell, two spaces apart; nothing is cut.

    `right` are the columns that are aligned to the right; `rules` the rows (by position) that a
    line is drawn above.
    """
    everything = [header, *rows]
    widths = [max(len(row[i]) for row in everything) for i in range(len(header))]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    lines = [line(header), rule]
    for position, row in enumerate(rows):
        if position in rules:
            lines.append(rule)
        lines.append(line(row))
    return "\n".join(lines)

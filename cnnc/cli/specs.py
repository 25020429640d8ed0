"""`cnnc specs`: the networks that come with cnnc."""

from __future__ import annotations

import click

from cnnc.cli.common import out
from compiler.load import is_open, load, open_spec, shipped


@click.command("specs")
@click.argument("name", required=False)
def verb(name: str | None) -> int:
    """List the shipped networks; with a NAME, print the file that it is written in."""
    if name is not None:
        out(open_spec(name).module.file.source.text)
        return 0
    from cnnc.render.table import table

    rows = []
    for one in shipped():
        if is_open(one, open_spec(one).module):
            continue  # a family; its variants are listed
        graph = load(one)
        title = graph.doc.split("\n\n")[0].replace("\n", " ")
        rows.append((one, f"{graph.params:,}", f"{graph.macs:,}", title))
    out(table(("name", "parameters", "MACs", "what it is"), rows, right=(1, 2)))
    return 0

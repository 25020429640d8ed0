"""`cnnc specs`: the networks that come with cnnc."""

from __future__ import annotations

import click

from cnnc.cli.common import out


@click.command("specs")
def verb() -> int:
    """List the shipped networks: name, parameters, multiply-adds, and what each is."""
    from compiler.load import check_open, load, shipped
    from cnnc.render.table import table

    rows = []
    for name, spec in shipped().items():
        if check_open(name):
            continue  # a family: its variants are listed
        graph = load(name)
        title = graph.doc.split("\n\n")[0].replace("\n", " ")
        rows.append((name, f"{graph.params:,}", f"{graph.macs:,}", spec.file, title))
    out(table(("name", "parameters", "MACs", "file", "what it is"), rows, right=(1, 2)))
    return 0

"""The commands as click has them, for everything that `quick` does not do."""

from __future__ import annotations

import importlib
from typing import Any

import click

from cnnc.cli import VERBS
from spec_lang.diagnostics import nearest


class Verbs(click.Group):
    """Imports a verb when it is asked for, so that `check` stays as light as it is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        verb = importlib.import_module(f"cnnc.cli.{name}").verb
        assert isinstance(verb, click.Command)
        return verb

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in VERBS:
            near = nearest(args[0], VERBS)
            hint = f"did you mean `cnnc {near[0]}`?" if near else "`cnnc --help` lists the verbs"
            raise click.UsageError(f"there is no verb `{args[0]}`; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from cnnc import __version__

        click.echo(f"cnnc {__version__}")
        ctx.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
@click.option(
    "--debug", is_flag=True, expose_value=False, help="Show a traceback where something goes wrong."
)
def application() -> None:
    """Convolutional networks as text: check, count, compile, train, export.

    A spec is named by its path, by path:Model, or, where it comes with cnnc, by its name (vgg16).
    """

"""The command `vpbx`: one module a command group, all put together here.

Commands that change something open the database themselves, so they work whether or not a
server runs on the same data directory; a running one takes the change within a second.
Exit status: 0 done, 1 a fault (it says how to mend it), 2 bad input (it names the option).
"""

from __future__ import annotations

from typing import Annotated

import typer
import typer.main

from vpbx import __version__
from vpbx.cli import (
    blacklist,
    branch,
    bridge,
    callerid,
    calls,
    certificate,
    crm,
    demo,
    doctor,
    domain,
    group,
    history,
    key,
    lists,
    mail,
    media,
    music,
    number,
    operator,
    phones,
    registration,
    report,
    report_mail,
    restrictions,
    safety,
    sandbox,
    serve,
    sipuri,
    trunk,
    user,
    webhook,
)
from vpbx.cli.output import reporting_faults
from vpbx.cli.parameters import speak_of_options

__all__ = ["main"]

app = typer.Typer(
    name="vpbx",
    help="A virtual PBX: phones, carriers, recordings and a two-way CRM API.\n\n"
    "Start with [bold]vpbx demo[/bold], which makes a company and calls it; "
    "then [bold]vpbx serve[/bold] for your own.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vpbx {__version__}")
        raise typer.Exit


@app.callback()
def _vpbx(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


app.command("serve", rich_help_panel="Server")(serve.serve)
app.command("demo", rich_help_panel="Server")(demo.demo)
app.command("doctor", rich_help_panel="Server")(doctor.doctor)
for name, commands in (
    ("domain", domain.app),
    ("user", user.app),
    ("group", group.app),
    ("number", number.app),
    ("trunk", trunk.app),
    ("branch", branch.app),
    ("key", key.app),
    ("crm", crm.app),
    ("media", media.app),
    ("music", music.app),
    ("record", lists.record),
    ("voicemail", lists.voicemail),
    ("blacklist", blacklist.app),
    ("restrictions", restrictions.app),
    ("callerid", callerid.app),
    ("blf", lists.blf),
    ("registration", registration.app),
    ("sipuri", sipuri.app),
    ("webhook", webhook.app),
    ("safety", safety.app),
):
    app.add_typer(commands, name=name, rich_help_panel="Companies")
app.command("changes", rich_help_panel="Companies")(safety.changes)
app.command("report", rich_help_panel="Companies")(report.report)
app.add_typer(history.app, name="history", rich_help_panel="Companies")
app.add_typer(report_mail.app, name="report-mail", rich_help_panel="Companies")
app.add_typer(bridge.app, name="bridge", rich_help_panel="Server")
app.add_typer(sandbox.app, name="sandbox", rich_help_panel="Server")
app.add_typer(operator.app, name="operator", rich_help_panel="Server")
for name, commands in (
    ("calls", calls.app),
    ("phones", phones.app),
    ("mail", mail.app),
    ("certificate", certificate.app),
):
    app.add_typer(commands, name=name, rich_help_panel="Now")


def main() -> None:
    """Run the command line and exit with its status."""
    command = typer.main.get_command(app)
    speak_of_options(command)
    with reporting_faults():
        command()

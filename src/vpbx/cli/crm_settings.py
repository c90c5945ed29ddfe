"""What is said of an address that a company's commands go to: options, and how it is shown."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from vpbx.cli.output import BAD_INPUT, Fault

if TYPE_CHECKING:
    from vpbx.directory import Integration

__all__ = [
    "COMMANDS",
    "CommandFormat",
    "LateEvents",
    "Poll",
    "Send",
    "Sign",
    "Token",
    "Url",
    "settings_of",
    "shown",
]

COMMANDS = ("history", "event", "contact", "rating")

Url: TypeAlias = Annotated[
    str, typer.Option("--url", metavar="URL", help="Where commands go.", show_default=False)
]
Token: TypeAlias = Annotated[
    str, typer.Option("--token", metavar="TOKEN", help="Sent as crm_token.", show_default=False)
]
CommandFormat: TypeAlias = Annotated[
    str,
    typer.Option("--format", metavar="auto|form|json", help="Of commands.", show_default=False),
]
LateEvents: TypeAlias = Annotated[
    str,
    typer.Option(
        "--late-events",
        metavar="send|drop",
        help="Events older than a minute, of calls that are over (default: drop).",
        show_default=False,
    ),
]
Send: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--send",
        metavar="COMMAND",
        help="history, event, contact or rating; may be repeated: only these are sent.",
    ),
]
Poll: TypeAlias = Annotated[
    bool, typer.Option("--poll", help="Send nothing: the CRM fetches by GET /events.")
]
Sign: TypeAlias = Annotated[
    bool | None,
    typer.Option("--sign/--no-sign", help="Sign commands, with a new secret that is shown."),
]


def settings_of(
    *,
    url: str,
    token: str,
    format_: str,
    on: bool | None,
    late_events: str,
    send: list[str] | None,
    poll: bool,
    sign: bool | None,
) -> dict[str, Any]:
    """Return what was given, as the directory takes it; raises Fault."""
    values: dict[str, Any] = {
        "url": url or None,
        "token": token or None,
        "format": format_ or None,
        "enabled": on,
        "late_events": late_events or None,
        "sign": sign,
    }
    if send:
        unknown = set(send) - set(COMMANDS)
        if unknown:
            raise Fault(f"--send: {min(unknown)} is not one of {', '.join(COMMANDS)}", BAD_INPUT)
        values |= {command: command in send for command in COMMANDS}
    if poll:
        values |= {"url": "", "token": token or secrets.token_urlsafe(16)}
    return {name: value for name, value in values.items() if value is not None}


def shown(address: Integration, secret: str = "") -> dict[str, Any]:
    """Return an address for programs; never the token, and the secret only when it is new."""
    return {
        "url": address.shown_url,
        "format": str(address.format),
        "enabled": address.enabled,
        "sends": [name for name in COMMANDS if getattr(address.commands, name)],
        "late_events": "send" if address.late_events else "drop",
        "signed": bool(address.signing_secret),
        **({"signing_secret": secret} if secret else {}),
    }

"""What is said of an address that a company's commands go to: options, and how it is shown."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpbx.cli.output import BAD_INPUT, Fault
from vpbx.cli.parameters import Sets

if TYPE_CHECKING:
    from vpbx.directory import Integration

__all__ = ["COMMANDS", "AddressOptions", "shown"]

COMMANDS = ("history", "event", "contact", "rating")
_UNSAID: dict[str, Any] = {"show_default": False}


@dataclass(frozen=True)
class AddressOptions:
    """The options of each command that says something of an address."""

    url: Annotated[str, typer.Option(metavar="URL", help="Where commands go.", **_UNSAID)] = ""
    token: Annotated[str, typer.Option(metavar="TOKEN", help="Sent as crm_token.", **_UNSAID)] = ""
    format_: Annotated[
        str,
        typer.Option("--format", metavar="auto|form|json", help="Of commands.", **_UNSAID),
    ] = ""
    on: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Send it anything.", **_UNSAID),
        Sets("enabled"),
    ] = None
    late_events: Annotated[
        str,
        typer.Option(
            metavar="send|drop",
            help="Events older than a minute, of calls that are over (default: drop).",
            **_UNSAID,
        ),
    ] = ""
    send: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMMAND",
            help="history, event, contact or rating; may be repeated: only these are sent.",
        ),
        Sets(*COMMANDS),
    ] = None
    poll: Annotated[
        bool, typer.Option("--poll", help="Send nothing: the CRM fetches by GET /events.")
    ] = False
    sign: Annotated[
        bool | None,
        typer.Option("--sign/--no-sign", help="Sign commands, with a new secret that is shown."),
    ] = None

    def values(self) -> dict[str, Any]:
        """Return what was given, as the directory takes it; raises Fault."""
        values: dict[str, Any] = {
            "url": self.url or None,
            "token": self.token or None,
            "format": self.format_ or None,
            "enabled": self.on,
            "late_events": self.late_events or None,
            "sign": self.sign,
        }
        if self.send:
            unknown = set(self.send) - set(COMMANDS)
            if unknown:
                said = f"--send: {min(unknown)} is not one of {', '.join(COMMANDS)}"
                raise Fault(said, BAD_INPUT)
            values |= {command: command in self.send for command in COMMANDS}
        if self.poll:
            values |= {"url": "", "token": self.token or secrets.token_urlsafe(16)}
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

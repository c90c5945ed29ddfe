"""What is said of an address that a company's commands go to: options, and how it is shown."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_type_hints

import typer

from vpbx.cli.output import BAD_INPUT, Fault
from vpbx.cli.parameters import Sets

if TYPE_CHECKING:
    from vpbx.directory import Integration

__all__ = ["COMMANDS", "Settings", "settings_of", "shown", "with_settings"]

Settings: TypeAlias = dict[str, Any]
"""What was given of an address, as the directory takes it."""
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
On: TypeAlias = Annotated[bool | None, typer.Option("--on/--off"), Sets("enabled")]
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
    Sets(*COMMANDS),
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
    url: Url = "",
    token: Token = "",
    format_: CommandFormat = "",
    on: On = None,
    late_events: LateEvents = "",
    send: Send = None,
    poll: Poll = False,
    sign: Sign = None,
) -> Settings:
    """Return what was given, as the directory takes it; raises Fault.

    Its parameters are the options of every command `with_settings`.
    """
    values: Settings = {
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


Command: TypeAlias = Callable[..., None]


def with_settings(*, on: str = "Send it anything.") -> Callable[[Command], Command]:
    """Give a command the options of an address in the place of its parameter `given`.

    It is called with what `settings_of` makes of them. `on` is the help of --on/--off.
    """
    options = dict(inspect.signature(settings_of, eval_str=True).parameters)
    switch = typer.Option("--on/--off", help=on, show_default=False)
    options["on"] = options["on"].replace(
        annotation=Annotated[bool | None, switch, Sets("enabled")]
    )

    def giving(command: Command) -> Command:
        @wraps(command)
        def filled(**values: Any) -> None:
            given = {name: values.pop(name) for name in options}
            command(**values, given=settings_of(**given))

        places = _with(options, command)
        filled.__signature__ = inspect.Signature(places)  # type: ignore[attr-defined]
        filled.__annotations__ = {place.name: place.annotation for place in places}
        return filled

    return giving


def _with(options: dict[str, inspect.Parameter], command: Command) -> list[inspect.Parameter]:
    """Return the parameters of a command, with options in the place of `given`."""
    types = get_type_hints(command, include_extras=True)
    places: list[inspect.Parameter] = []
    for place in inspect.signature(command).parameters.values():
        if place.name == "given":
            places += options.values()
        else:
            places.append(place.replace(annotation=types[place.name]))
    return [place.replace(kind=inspect.Parameter.KEYWORD_ONLY) for place in places]


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

"""What commands say: results on stdout, faults on stderr, and the exit status."""

from __future__ import annotations

import getpass
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vpbx.app import StartError
from vpbx.app.control import ControlFault
from vpbx.config import ConfigError

__all__ = [
    "BAD_INPUT",
    "FAULT",
    "Fault",
    "WrongValues",
    "confirm",
    "fail",
    "given",
    "out",
    "plain",
    "read_secret",
    "reporting_faults",
    "show",
    "show_fields",
    "show_rows",
    "utc",
]

FAULT = 1
BAD_INPUT = 2

out = Console(highlight=False)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Fault(Exception):
    """Something that stops a command. `str()` says what, and how to mend it."""

    def __init__(self, message: str, status: int = FAULT) -> None:
        super().__init__(message)
        self.status = status


class WrongValues(Fault):
    """Values that an operation does not take: `errors` are its fields, and what is wrong."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {said}" for field, said in errors), BAD_INPUT)
        self.errors = errors


def fail(message: str, status: int = FAULT) -> NoReturn:
    """Say `message` on stderr and exit with `status`."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[bold red]vpbx:[/bold red] {plain(message)}"
    )
    sys.exit(status)


def utc(seconds: float) -> str:
    """Return a time (epoch seconds) as commands print it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def show(value: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Print `value` for a program, or `text` (Rich markup) for a person."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False))
    else:
        out.print(text, soft_wrap=True)


def show_rows(
    rows: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str], empty: str
) -> None:
    """Print `rows` as a JSON array, or as a table of `columns`; `empty` where there are none."""
    if as_json:
        print(json.dumps(list(rows), ensure_ascii=False))
    elif not rows:
        out.print(empty)
    else:
        table = Table(*columns, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(_cell(row.get(column)) for column in columns))
        out.print(table, soft_wrap=True)


def show_fields(value: Mapping[str, Any], *, as_json: bool) -> None:
    """Print `value` for a program, or a line a field for a person."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, each in value.items():
        if isinstance(each, (dict, list)) and any(isinstance(one, dict) for one in each):
            each = json.dumps(each, ensure_ascii=False, indent=1)
        elif isinstance(each, dict):
            each = ", ".join(f"{key} {_cell(one)}" for key, one in each.items())
        table.add_row(name, _cell(each))
    out.print(table, soft_wrap=True)


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given, for an edit that changes nothing else.

    `Fault` where none was: the command would do nothing.
    """
    found = {name: value for name, value in options.items() if value is not None}
    if not found:
        names = ", ".join("--" + name.replace("_", "-") for name in options)
        raise Fault(f"say what to change; one or more of {names}", BAD_INPUT)
    return {name: str(v) if isinstance(v, StrEnum) else v for name, v in found.items()}


def read_secret(given_: str, from_stdin: bool) -> str:
    """Return a password: as given, from standard input, or asked for on a terminal."""
    if given_:
        return given_
    if from_stdin or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass("Password: ")


def confirm(what: str, depends: Sequence[str], *, yes: bool) -> None:
    """Ask before `what` is removed, telling what depends on it; `Fault` when it stays."""
    if yes:
        return
    told = "".join(f"\n  - {each}" for each in depends)
    if not sys.stdin.isatty():
        raise Fault(
            f"{what} is not removed: say --yes to remove it without being asked"
            + (f". It is used:{told}" if told else ""),
            BAD_INPUT,
        )
    if told:
        out.print(f"{plain(what)} is used:{plain(told)}")
    if input(f"Remove {what}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Fault(f"{what} stays")


@contextmanager
def reporting_faults() -> Iterator[None]:
    """Turn what is expected to go wrong into one sentence and an exit status."""
    try:
        yield
    except ConfigError as error:
        fail(str(error), BAD_INPUT)
    except Fault as error:
        fail(str(error), error.status)
    except (StartError, ControlFault) as error:
        fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(FAULT)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return plain(", ".join(map(str, value)))
    return "" if value is None else plain(str(value))


def plain(text: str) -> str:
    """Return what people, phones and carriers say as Rich shows it as it stands: no markup of
    theirs, and nothing that a terminal obeys."""
    return escape(_CONTROL.sub("", text))

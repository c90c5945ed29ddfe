"""Options that go together as one value, and which field of an operation each of them sets.

    @dataclass(frozen=True)
    class Changes:
        order: Annotated[str | None, typer.Option(help="…"), Sets("call_order")] = None

    @app.command("set")
    @grouped
    def set_(domain: Domain, changes: Changes) -> None:      # vpbx … set DOMAIN --order ALL
        await directory.groups.edit(company, gid, given(changes))

What the directory says of a field (`call_order: must be …`) is told of the option: `--order: …`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from vpbx.cli.output import BAD_INPUT, Fault, WrongValues

__all__ = ["Sets", "given", "grouped", "speak_of_options"]

Command = Callable[..., Any]
_FIELD = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
"""A word of a message that can only be the name of a field."""
_INDEX = re.compile(r"\[\d+\]")


class Sets:
    """Beside an option: the fields that it sets, where they are not called as it is.

    `*` is a document with fields of its own, which are told behind the option's name; `""` is a
    list that is all an operation takes.
    """

    def __init__(self, *fields: str) -> None:
        self.fields = fields


def given(changes: Any, *, only: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the options of a dataclass that were given, by the field each sets.

    With `only` these options; the others count as given too. `Fault` where none was: the command
    would do nothing.
    """
    types = get_type_hints(type(changes), include_extras=True)
    values = {each.name: getattr(changes, each.name) for each in fields(changes)}
    changed = {each.name for each in fields(changes) if values[each.name] != each.default}
    found = {name: value for name, value in values.items() if name in changed}
    if not found:
        names = ", ".join("--" + name.rstrip("_").replace("_", "-") for name in values)
        raise Fault(f"say what to change; one or more of {names}", BAD_INPUT)
    return {
        (_declared(types[name]) or (name.rstrip("_"),))[0]: str(value)
        if isinstance(value, StrEnum)
        else value
        for name, value in found.items()
        if only is None or name in only
    }


def grouped(command: Command) -> Command:
    """Give a command the fields of each parameter that is a dataclass as options, in its place."""
    types = get_type_hints(command, include_extras=True)
    groups: dict[str, type] = {}
    places: list[inspect.Parameter] = []
    for place in inspect.signature(command).parameters.values():
        kind = types[place.name]
        if isinstance(kind, type) and is_dataclass(kind):
            groups[place.name] = kind
            places += _options(kind)
        else:
            places.append(place.replace(annotation=kind))

    @wraps(command)
    def filled(**values: Any) -> Any:
        for name, group in groups.items():
            options = {each.name: values.pop(each.name) for each in fields(group)}
            values[name] = group(**options)
        return command(**values)

    keyword = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.Signature([place.replace(kind=keyword) for place in places])
    filled.__signature__ = signature  # type: ignore[attr-defined]
    filled.__annotations__ = {place.name: place.annotation for place in places}
    return filled


def _options(group: type) -> Iterable[inspect.Parameter]:
    types = get_type_hints(group, include_extras=True)
    for each in fields(group):
        yield inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=types[each.name],
        )


def speak_of_options(command: Any) -> None:
    """Have a command, and all below it, tell what is wrong with values by what was typed."""
    for each in getattr(command, "commands", {}).values():
        speak_of_options(each)
    if command.callback is not None:
        command.callback = _telling(command, command.callback)


def _telling(command: Any, work: Command) -> Command:
    @wraps(work)
    def told(*args: Any, **values: Any) -> Any:
        try:
            return work(*args, **values)
        except WrongValues as wrong:
            names = _names(command, work, values)
            said = (
                f"{_name_of(field, names)}: {_FIELD.sub(lambda m: names.get(m[0], m[0]), message)}"
                for field, message in wrong.errors
            )
            raise Fault("; ".join(said), wrong.status) from wrong

    return told


def _names(command: Any, work: Command, values: Mapping[str, Any]) -> dict[str, str]:
    """Return how each field is named on the command line.

    Where several set it, it is one that was given, and of those one that is declared to.
    """
    types = get_type_hints(work, include_extras=True)
    was_given = [p for p in command.params if values.get(p.name) not in (None, "", False, [], ())]
    others = [p for p in command.params if p not in was_given]
    declared = {p.name: _declared(types.get(p.name)) for p in command.params}
    if any("*" in (declared[p.name] or ()) for p in was_given):
        others = []  # the rest is what the document says
    names: dict[str, str] = {}
    for group in (was_given, others):
        for parameter in sorted(group, key=lambda p: declared[p.name] is None):
            for field in declared[parameter.name] or (parameter.name.rstrip("_"),):
                names.setdefault(field, _typed(parameter))
    return names


def _declared(annotation: Any) -> tuple[str, ...] | None:
    """Return the fields that are declared beside an option."""
    if get_origin(annotation) is Annotated:
        for beside in get_args(annotation)[1:]:
            if isinstance(beside, Sets):
                return beside.fields
    return None


def _typed(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper()).rstrip(".")
    return "/".join([*parameter.opts[:1], *parameter.secondary_opts[:1]])


def _name_of(field: str, names: Mapping[str, str]) -> str:
    """Return what a person typed for a field: `users[2].login` is what was typed for `users`.

    A list that has no name of its own (`[2].login`) is `""`.
    """
    path = _INDEX.sub("", field).lstrip(".")
    while path and path not in names:
        path = path.rpartition(".")[0]
    if path in names:
        return names[path]
    return f"{names['*']}: {field}" if "*" in names else field

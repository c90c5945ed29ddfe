"""Response models. They document what is answered and are what tests hold answers against;
answers themselves are built as plain dicts (nothing is validated twice on the way out)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Error", "FieldFault", "Id", "LoginName", "Model", "State", "only_if"]


def _absent() -> Any:
    """Never seen: a default that the JSON schema does not show."""
    return ""


def only_if(when: str) -> Any:
    """Return the declaration of a field that is left out unless `when`."""
    return Field(default_factory=_absent, description=when)


class Model(BaseModel):
    """Base of all response models: exactly these fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FieldFault(Model):
    """What is wrong with one field."""

    field: str
    message: str


class Error(Model):
    """Why a request was refused."""

    message: str
    errors: list[FieldFault] = only_if("Only with 400.")


class State(Model):
    """A switch."""

    state: bool


class LoginName(Model):
    """An employee, in lists."""

    login: str
    name: str


class Id(Model):
    """Something with an id and a name."""

    id: str
    name: str

"""The kinds of columns the directory's tables are made of."""

from __future__ import annotations

import re

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect

from vpbx.db import BIG


class Words(TypeDecorator[str]):
    """Text that any client may have sent: what no database can hold (NUL, lone surrogates)
    becomes U+FFFD, so that looking for it finds nothing instead of failing.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return _UNSTORABLE.sub("\ufffd", value)


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def id_() -> Column[int]:
    """The primary key."""
    return Column("id", Integer, primary_key=True)


def of_company() -> Column[int]:
    """Whose row it is; it goes with its company."""
    return Column(
        "domain_id", Integer, ForeignKey("domains.id", ondelete="CASCADE"), nullable=False
    )


def text(name: str, default: str | None = "") -> Column[str]:
    return Column(name, Words, nullable=False, server_default=default)


def flag(name: str, default: bool) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=default)


def number(name: str, default: int | None = None) -> Column[int]:
    return Column(name, Integer, nullable=False, default=default)


def milliseconds(name: str) -> Column[int]:
    """A moment, in ms since 1970."""
    return Column(name, BIG, nullable=False, default=0, server_default="0")


def of_domain(column: str, target: str, ondelete: str | None = None) -> ForeignKeyConstraint:
    """A reference to another row of the same company."""
    return ForeignKeyConstraint(
        ["domain_id", column], [f"{target}.domain_id", f"{target}.id"], ondelete=ondelete
    )

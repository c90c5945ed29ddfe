"""Tables of ours in a company's database, for what its file leaves to us, and the view of them."""

from __future__ import annotations

from collections.abc import Container

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    func,
    select,
    text,
)

__all__ = ["OWN", "VIEW", "calls", "customers", "events", "make", "ratings", "seen"]

metadata = MetaData()
seen = Table(
    "vpbx_seen",
    metadata,
    Column("id", String(250), primary_key=True),
    Column("at", DateTime, nullable=False),
)
calls = Table(
    "vpbx_calls",
    metadata,
    Column("callid", String(20), primary_key=True),
    Column("type", String(10)),
    Column("status", String(20)),
    Column("user", String(64)),
    Column("phone", String(40)),
    Column("diversion", String(40)),
    Column("start", DateTime),
    Column("wait", Integer),
    Column("duration", Integer),
    Column("ext", String(20)),
    Column("telnum_name", String(255)),
    Column("link", String(500)),
    Column("rating", Integer),
    Index("ix_vpbx_calls_start", "start"),
    Index("ix_vpbx_calls_phone", "phone", "start"),
)
events = Table(
    "vpbx_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("callid", String(20), nullable=False),
    Column("type", String(20)),
    Column("user", String(64)),
    Column("phone", String(40)),
    Column("direction", String(5)),
    Column("time", DateTime),
    Column("second_callid", String(20)),
    Index("ix_vpbx_events_callid", "callid"),
)
ratings = Table(
    "vpbx_ratings",
    metadata,
    Column("callid", String(20), primary_key=True),
    Column("phone", String(40)),
    Column("user", String(64)),
    Column("rating", Integer),
)
customers = Table(
    "vpbx_customers",
    metadata,
    Column("phone", String(40), primary_key=True),
    Column("name", String(255)),
    Column("responsible", String(64)),
)
OWN = {"contact": customers, "history": calls, "event": events, "rating": ratings}
"""What a command uses that the file has no statement for."""
VIEW = "vpbx_calls_with_names"


def make(connection: Connection, given: Container[str], *, sheet: bool) -> list[str]:
    """Make what is not there. Return all names.

    `given`: the commands that have statements; `sheet`: whether a sheet fills our customers,
    which statements may ask, too.
    """
    wanted = [seen, *(table for command, table in OWN.items() if command not in given)]
    if sheet and customers not in wanted:
        wanted.append(customers)
    metadata.create_all(connection, tables=wanted)
    names = [table.name for table in wanted]
    if not {calls, ratings, customers} <= set(wanted):
        return names
    rating = func.coalesce(ratings.c.rating, calls.c.rating).label("rating")
    shown = [column for column in calls.c if column.name != "rating"]
    found = calls.outerjoin(customers, customers.c.phone == calls.c.phone).outerjoin(
        ratings, ratings.c.callid == calls.c.callid
    )
    name = customers.c.name.label("customer")
    query = select(*shown, name, rating).select_from(found).compile(dialect=connection.dialect)
    connection.execute(text(f"DROP VIEW IF EXISTS {VIEW}"))
    connection.execute(text(f"CREATE VIEW {VIEW} AS {query}"))
    return [*names, VIEW]

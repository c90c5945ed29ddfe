"""What holds for every single endpoint: keys, rights, and that nothing sent breaks it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Api, World
from vpbx.api.operation import Operation
from vpbx.api.sections import SECTIONS

OPERATIONS = [operation for section in SECTIONS for operation in section.operations]
GUARDED = [operation for operation in OPERATIONS if operation.right is not None]


def name(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def path_of(operation: Operation, value: str = "nothing") -> str:
    return re.sub(r"\{\w+\}", value, operation.path)


async def test_every_endpoint_needs_a_key(api: Api) -> None:
    for operation in OPERATIONS:
        answer = await api(operation.method, path_of(operation), key=None, json={})
        assert (answer.status, answer.json()) == (401, {"message": "Invalid token"})


POOR = ("Call restrictions", "View")


@pytest.fixture
async def poor(world: World) -> str:
    """A key that holds one right only: `POOR`."""
    return await world.key(":".join(POOR))


async def test_every_guarded_endpoint_is_forbidden_without_its_right(api: Api, poor: str) -> None:
    for operation in GUARDED:
        if operation.right == POOR:
            continue
        answer = await api(operation.method, path_of(operation), key=poor, json={})
        assert answer.status == 403, name(operation)
        assert answer.json() == {"message": "Don't have permission to access"}


async def test_every_endpoint_opens_to_its_right_alone(api: Api, world: World, poor: str) -> None:
    keys = {None: poor}
    for operation in OPERATIONS:
        right = operation.right
        if right not in keys:
            assert right is not None
            keys[right] = await world.key(":".join(right))
        if operation.path == "/makecall":
            continue  # there is no call service in this world
        answer = await api(operation.method, path_of(operation), key=keys[right], json={})
        assert answer.status in (200, 204, 400, 404), name(operation)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["701", "admin", "7900800*", "2024-01-01T00:00:00", "\x00", "ALL", "-1"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "login", "user", "items", "start"]), inner)
    ),
    max_leaves=6,
)


def fields_of(operation: Operation) -> list[str]:
    """Return the names of all fields of the operation's model and of the models inside."""
    from pydantic import TypeAdapter

    model = operation.body or operation.query
    schema = TypeAdapter(model).json_schema()
    found: set[str] = set()
    for part in (schema, *schema.get("$defs", {}).values()):
        found |= part.get("properties", {}).keys()
    return sorted(found)


TAKING = [o for o in OPERATIONS if (o.body or o.query) and o.path != "/makecall"]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_nothing_that_is_sent_breaks_an_endpoint(api: Api, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(TAKING), label="operation")
    names = fields_of(operation) or ["name"]
    sent: Any = data.draw(st.dictionaries(st.sampled_from(names), values) | scalars)
    if operation.takes_list:
        sent = [sent]
    target = data.draw(st.sampled_from(["admin", "701", "nothing", "79001112233", "%00", "%C3%28"]))
    answer = await api(operation.method, path_of(operation, target), data=json.dumps(sent).encode())
    assert answer.status in (200, 204, 400, 404), (name(operation), sent, answer.body)

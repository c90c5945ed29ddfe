"""The AsyncAPI document: what AsyncAPI's own schema takes, and what is really sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.api.conftest import Api
from tests.crm.test_crm_recorder import incoming
from tests.crm.world import TOKEN, Crm, integration, new_call, running_node
from vpbx.api import create_document
from vpbx.crm.commands import contact_command
from vpbx.crm.encoding import encode
from vpbx.db import Database
from vpbx.directory import Format

SCHEMA = Path(sys.prefix) / "node/node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"


async def test_the_document_is_served_without_a_key_and_valid(api: Api) -> None:
    shown = await api.get("/asyncapi.json", key=None)
    assert set(shown["operations"]) == {"history", "event", "contact", "rating", "webhook"}
    assert shown["operations"]["contact"]["reply"]["messages"]
    if not SCHEMA.exists():
        pytest.skip("AsyncAPI's schema is not installed: it comes from npm (scripts/setup-node.sh)")
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    assert [error.message for error in validator.iter_errors(shown)] == []
    broken = {**shown, "operations": {"history": {"action": "shout"}}}
    assert not validator.is_valid(broken)


def test_examples_fit_their_schemas() -> None:
    for name, item in create_document()["webhooks"].items():
        for content in item["post"]["requestBody"]["content"].values():
            errors = jsonschema_rs.validator_for(content["schema"]).iter_errors(content["example"])
            assert [error.message for error in errors] == [], name


async def test_commands_that_are_sent_fit_what_the_documents_say(
    sqlite_database: Database,
) -> None:
    """Of a call that an employee answered, and of the question before it."""
    async with Crm() as crm:
        settings = {1: integration(crm.url, format=Format.JSON)}
        async with running_node(sqlite_database, settings) as node:
            incoming(node.bus, new_call())
            taken: list[dict[str, Any]] = list(await crm.takes(7))
    question = encode(contact_command("79101234567", "1", "74957654321"), TOKEN, Format.JSON)
    for sent in (*taken, json.loads(question)):
        post = create_document()["webhooks"][sent["cmd"]]["post"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        strict = {**schema, "additionalProperties": False}
        errors = jsonschema_rs.validator_for(strict).iter_errors(sent)
        assert [error.message for error in errors] == [], sent

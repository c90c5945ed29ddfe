"""Schemathesis against the API over HTTP: what the OpenAPI document says holds, and nothing that
is sent breaks an operation. The whole application with calls and media; every operation is asked.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.api.conftest import Server, World
from tests.calls.world import Records, media_config
from vpbx.api import PREFIX, ApiConfig, ApiServices, create_app, create_document
from vpbx.calls import CallsConfig, CallService, Parts
from vpbx.events import EventBus
from vpbx.media import MediaEngine

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
HOOKS = "tests.api.schemathesis_hooks"
ROOT = Path(__file__).parents[2]
SEED = "20260101"

# What a 400 says holds for that one request ("timeout.user is required" with target user), but
# Schemathesis would take it for a rule of all requests, and complain when they are accepted.
CONFIG = """
[phases.coverage]
unexpected-methods = ["patch"]  # the rest of 405 is in test_common
[phases.fuzzing.error-feedback]
enabled = false
"""
# A well-formed request may name an employee, number or region that is not there, or a time that
# comes before another: the domain's rules are no part of a JSON schema, and 400 and 404 are right.
LEFT_OUT = "positive_data_acceptance"


@pytest.fixture
async def services(world: World, tmp_path: Path) -> ApiServices:
    """A company with something of everything, and calls that nobody's phone is there for."""
    directory, domain = world.directory, await world.domain()
    await directory.users.add(domain, {"name": "Ann", "login": "ann", "password": "Secret-pass-2"})
    members = [{"login": "ann", "calls_enable": True}]
    await directory.groups.add(domain, {"name": "Sales", "users": members})
    await directory.telnums.add(domain, "74950000001", user="ann", name="Office")
    parts = Parts(
        directory=directory,
        media=MediaEngine(media_config(tmp_path / "media")),
        events=EventBus(lambda writes: None),
        records=Records(),
    )
    calls = CallService(CallsConfig(secret=b"s" * 32), parts)
    # Schemathesis tries a wrong key on every operation.
    config = ApiConfig(recording_wait_s=0.1, wrong_keys_per_minute=1_000_000)
    return replace(world.services, calls=calls, config=config)


async def run(base: str, key: str, folder: Path, *options: str) -> tuple[int, str]:
    """Run Schemathesis in a process of its own; return its exit status and what it wrote."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        *(SCHEMATHESIS, "--config-file", folder / "schemathesis.toml", "run"),
        *(f"{base}{PREFIX}/openapi.json", "-H", f"X-API-KEY: {key}", "--seed", SEED),
        *("--exclude-checks", LEFT_OUT, "--continue-on-failure", "--no-shrink", *options),
        # a busy machine is no finding
        *("--request-timeout", "90", "--suppress-health-check", "all"),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": HOOKS, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        written, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return process.returncode, written.decode(errors="replace")


@pytest.mark.timeout(240)
async def test_the_api_does_what_its_document_says(
    services: ApiServices, world: World, tmp_path: Path
) -> None:
    key = await world.key()
    async with Server(create_app(services)) as base:
        status, written = await run(
            base, key, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "5"
        )
    # A finding is shown with the request that was sent, which may be long.
    assert status == 0, re.sub(r"\S{500,}", "…", written)
    operations = sum(len(methods) for methods in create_document()["paths"].values())
    assert re.search(rf"Tested: +{operations}\b", written), written[-3000:]

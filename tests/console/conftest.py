"""One real server with two companies for all tests of the console, and clients as browsers are."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.console.calls import keep_calls, keep_messages, keep_sound
from tests.support.mail import MailServer, mail_server
from tests.support.pbx import Pbx
from vpbx.accounts import Accounts
from vpbx.app.datadir import DataDir
from vpbx.clock import LoopClock
from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig, Secrets

ACME, GLOBEX = "acme.vpbx.example", "globex.vpbx.example"
PASSWORD = "correct horse staple"
PHONE_PASSWORD = "Phone-secret-1"
ROLES = {"admin": "admin", "head": "group_head", "ann": "user", "bob": "restricted_user"}
"""Who works at each company, and as what."""
_ENTER_AGAIN_S = 300


@dataclass
class Console:
    """The server under test."""

    pbx: Pbx
    tokens: dict[tuple[str, str], str]
    mail: MailServer
    browsers: dict[tuple[str, str], Browser] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return self.pbx.api.removesuffix("/crmapi/v1")

    def browser(self, host: str = ACME) -> Browser:
        """Return a browser that nobody has logged in with."""
        return Browser(self.base, host)

    def as_(self, login: str, host: str = ACME) -> Browser:
        """Return the browser of an employee who has logged in; shared by all tests."""
        found = self.browsers.get((host, login))
        if found is None:
            found = self.browsers[host, login] = self.browser(host)
        if time.monotonic() - found.entered_at > _ENTER_AGAIN_S:
            found.enter(login)  # what is weighty asks for the password later on
        return found


class Browser:
    """A client with cookies that says where its forms come from, as browsers do."""

    def __init__(self, base: str, host: str) -> None:
        self.origin = f"http://{host}"
        self.client = httpx.Client(base_url=base, headers={"Host": host}, timeout=20)
        self.entered_at = -math.inf

    def get(self, path: str, **more: object) -> httpx.Response:
        return self.client.get(path, **more)  # type: ignore[arg-type]

    def page(self, path: str) -> str:
        """Return a page that is there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.headers)
        return answer.text

    def post(
        self, path: str, data: dict[str, object], *, at: str = "", **more: object
    ) -> httpx.Response:
        """Send a form of the page `at` (by default the path itself)."""
        token = re.search(r'name="csrf" value="(\w+)"', self.page(at or path))
        headers = {"Origin": self.origin}
        values = {**data, **({"csrf": token[1]} if token else {})}
        return self.client.post(path, data=values, headers=headers, **more)  # type: ignore[arg-type]

    def pressed(self, path: str, data: dict[str, object]) -> str:
        """Press a button whose answer a script puts into the page, as htmx does."""
        token = re.search(r'name="csrf" value="(\w+)"', self.page("/me"))
        assert token is not None
        headers = {"Origin": self.origin, "X-CSRF": token[1], "HX-Request": "true"}
        answer = self.client.post(path, data=data, headers=headers)
        assert answer.status_code == 200, answer
        return answer.text

    def log_in(self, login: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        data = {"login": login, "password": password, **more}
        return self.client.post("/login", data=data, headers={"Origin": self.origin})

    def enter(self, login: str, password: str = PASSWORD) -> None:
        answer = self.log_in(login, password)
        assert answer.status_code == 303, answer.text
        self.entered_at = time.monotonic()


def soon(is_so: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait until the server has seen what another process changed, a command say."""
    by = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < by
        time.sleep(0.05)


def said(page: str) -> str:
    """Return the words of a page, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def found(data: Path) -> dict[tuple[str, str], str]:
    """Make two companies with an employee of each role, all with a password."""
    folder = DataDir(data)
    folder.prepare()
    database = Database.for_data_dir(data)
    await database.migrate()
    directory = Directory(database, secrets=Secrets.from_file(folder.secrets_key))
    await directory.refresh()
    accounts = Accounts(database, directory, LoopClock())
    kept = await accounts._passwords.hash(PASSWORD)
    tokens = {}
    for name in (ACME, GLOBEX):
        company = (await directory.companies.add(name)).domain
        company = await directory.companies.edit(company, {"language": "en"})
        for login, role in ROLES.items():
            if login != "admin":
                values = {"name": login.title(), "login": login, "role": role}
                values["password"] = PHONE_PASSWORD
                await directory.users.add(company, values)
            tokens[name, login] = (await accounts.invite(company, login)).token
        group = await directory.groups.add(company, {"name": "Sales", "ext": "600"})
        await directory.groups.change_users(company, group.id, {"add": ["head", "ann"]})
        await add_numbers(directory, company, group.id, "7495123456" + str(len(tokens)))
        async with database.begin() as connection:
            recorded = await keep_calls(connection, company.id, time.time(), group.id)
            await keep_messages(connection, recorded)
        keep_sound(folder.records, company.id, recorded)
    async with database.begin() as connection:
        from vpbx.accounts.tables import accounts as table

        await connection.execute(table.update().values(password=kept))
    for operator in ("root", "keeper"):
        tokens["", operator] = (await accounts.invite_operator(operator)).token
    await database.close()
    return tokens


async def add_numbers(directory: Directory, company: DomainConfig, gid: str, telnum: str) -> None:
    """Give a company a number with business hours and a menu in them."""
    await directory.telnums.add(company, telnum, name="Advertisement")
    inner = {"name": "Service", "items": [{"button": "1", "type": "user", "user": "bob"}]}
    items = [
        {"button": "1", "type": "group", "group": gid},
        {"button": "2", "type": "ivr", "ivr": inner},
        {"button": "timeout", "type": "user", "user": "ann"},
    ]
    day = {"start": 9 * 3600, "end": 18 * 3600}
    await directory.telnums.edit(
        company,
        telnum,
        {
            "type": "scheduler",
            "greeting": True,
            "work": {"subtype": "ivr", "ivr": {"name": "Welcome", "items": items}},
            "other": {"subtype": "message"},
            "schedule": dict.fromkeys(("monday", "tuesday", "wednesday", "thursday"), day),
        },
    )


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A server whose console is used by all tests of a process."""
    data = tmp_path_factory.mktemp("console") / "data"
    tokens = asyncio.run(found(data))
    with mail_server() as mail:
        pbx = Pbx(data, more=("--smtp", mail.url, "--mail-from", "pbx@vpbx.example")).start()
        yield Console(pbx, tokens, mail)
        pbx.kill()

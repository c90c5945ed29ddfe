"""Work on the directory of a data dir, beside a running server or without one."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vpbx.acting import Actor, acting
from vpbx.app import DataDir
from vpbx.app.datadir import full_disk, keep_private
from vpbx.cli.output import BAD_INPUT, Fault, WrongValues
from vpbx.config import parse_database

if TYPE_CHECKING:
    from vpbx.accounts import Accounts, Audit
    from vpbx.db import Database
    from vpbx.directory import Directory

__all__ = [
    "console_at",
    "is_empty",
    "on_accounts",
    "on_console",
    "on_database",
    "on_directory",
    "on_directory_and_database",
]

T = TypeVar("T")


def on_database(
    data: Path, url: str, work: Callable[[Database], Awaitable[T]], *, create: bool = False
) -> T:
    """Open (and migrate) the database, let `work` use it, close it, return what it returned.

    A PBX is made only with `create`: a slip in --data must not leave a second, empty one.
    """
    from vpbx.app import logs  # these take a while to load: not for --help
    from vpbx.app.database import open_database

    logs.set_up("warning")
    keep_private()
    url = parse_database(url)
    data = data.absolute()

    async def run() -> T:
        directory = DataDir(data)
        if not create and not directory.is_used:
            raise Fault(
                f"There is no PBX in {data}. Name its directory with --data DIR "
                "(or VPBX_DATA), or make a new one there with `vpbx domain add` or `vpbx serve`."
            )
        directory.prepare()
        database = await open_database(directory, url)
        if create:
            directory.remember_database(url)
        try:
            return await work(database)
        finally:
            await database.close()

    with _told(data):
        return asyncio.run(run())


@contextmanager
def _told(data: Path) -> Iterator[None]:
    """Say of faults that are nobody's mistake here what a user can do about them."""
    from vpbx.directory import Invalid, NotFound

    try:
        yield
    except Invalid as error:
        raise WrongValues([(each.field, each.message) for each in error.errors]) from error
    except NotFound as error:
        raise Fault(str(error), BAD_INPUT) from error
    except Exception as error:
        if full_disk(error):
            raise Fault(str(DataDir(data).full())) from error
        raise


def is_empty(data: Path) -> bool:
    """Whether somebody made an empty directory, to become a PBX."""
    return data.is_dir() and not any(data.iterdir())


def on_directory(
    data: Path, url: str, work: Callable[[Directory], Awaitable[T]], *, create: bool = False
) -> T:
    """Let `work` use the directory. What was wrong with its values becomes
    `WrongValues`, told by the options that were typed (`parameters.speak_of_options`)."""
    from vpbx.accounts import Audit
    from vpbx.directory import Directory, Secrets

    async def run(database: Database) -> T:
        secrets = Secrets.from_file(DataDir(data).secrets_key)
        directory = Directory(database, secrets=secrets)
        await directory.refresh()
        Audit(database, directory)
        with acting(whoever()):
            return await work(directory)

    return on_database(data, url, run, create=create)


def on_directory_and_database(
    data: Path, url: str, work: Callable[[Directory, Database], Awaitable[T]]
) -> T:
    """Let `work` use the directory, and the database for what is kept beside it."""
    from vpbx.directory import Directory, Secrets

    async def run(database: Database) -> T:
        secrets = Secrets.from_file(DataDir(data).secrets_key)
        directory = Directory(database, secrets=secrets)
        await directory.refresh()
        with acting(whoever()):
            return await work(directory, database)

    return on_database(data, url, run)


def whoever() -> Actor:
    """Return who runs this command."""
    try:
        return Actor(getpass.getuser(), "command")
    except (KeyError, OSError):  # a user id without a name, as in containers
        return Actor("command", "command")


def on_accounts(
    data: Path,
    url: str,
    work: Callable[[Directory, Accounts], Awaitable[T]],
    *,
    create: bool = False,
) -> T:
    """Let `work` use the directory and the accounts of the console, as `on_directory`."""

    async def without_audit(directory: Directory, accounts: Accounts, _audit: Audit) -> T:
        return await work(directory, accounts)

    return on_console(data, url, without_audit, create=create)


def on_console(
    data: Path,
    url: str,
    work: Callable[[Directory, Accounts, Audit], Awaitable[T]],
    *,
    create: bool = False,
) -> T:
    """As `on_accounts`, with the log of changes for what shows in no snapshot."""
    from vpbx.accounts import Accounts, Audit, Refused
    from vpbx.clock import LoopClock
    from vpbx.directory import Directory, Secrets

    async def run(database: Database) -> T:
        secrets = Secrets.from_file(DataDir(data).secrets_key)
        directory = Directory(database, secrets=secrets)
        await directory.refresh()
        try:
            with acting(whoever()):
                accounts = Accounts(database, directory, LoopClock())
                return await work(directory, accounts, Audit(database, directory))
        except Refused as refused:
            raise WrongValues([(refused.field, refused.message)]) from refused

    return on_database(data, url, run, create=create)


def console_at(data: Path, domain: str) -> str:
    """Return how links to the console begin, as the server that runs on `data` has it."""
    base = DataDir(data.absolute()).running().get("links") or "https://{domain}:8443"
    return str(base).replace("{domain}", domain)

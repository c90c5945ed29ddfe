"""The data directory: everything a server keeps, and the proof that it is the only one there.

vpbx.sqlite3           the database, unless --database names another
database.url           the --database of the server, so that commands find it too
server.secret          256 random bits: nonces and recording links are signed with it
server.lock            locked while a server runs on this directory
server.json            its process id and addresses, while it runs
tls/                   the self-signed certificate and its key
records/ sound/        recordings, and those being made
media/                 what companies uploaded, ready to play
prompts/               the built-in prompts, ready to play
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from vpbx.app.fault import StartError

__all__ = ["DataDir", "ServerLock", "full_disk", "keep_private"]

log = structlog.get_logger("vpbx.app")

_URL_FILE = "database.url"
_STATE_FILE = "server.json"
_LOCK_TRIES = 5
_LOCK_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class DataDir:
    """Paths in a data directory, and what is made there once."""

    root: Path

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def spool(self) -> Path:
        """Sound being recorded."""
        return self.root / "sound" / "now"

    @property
    def recorded(self) -> Path:
        """Sound that waits to be made an MP3."""
        return self.root / "sound" / "done"

    @property
    def left_behind(self) -> Path:
        """Sound that an earlier run left."""
        return self.root / "sound" / "left"

    def unwritten(self, what: str) -> Path:
        """What the last run could not write into the database before its end."""
        return self.root / f"unwritten-{what}.jsonl"

    @property
    def pulse(self) -> Path:
        """When the server was last known to be alive."""
        return self.root / "pulse"

    @property
    def secrets_key(self) -> Path:
        return self.root / "secrets.key"

    @property
    def media(self) -> Path:
        """What companies uploaded."""
        return self.root / "media"

    @property
    def prompts(self) -> Path:
        return self.root / "prompts"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def is_used(self) -> bool:
        """Whether a PBX has been made here."""
        traces = ("vpbx.sqlite3", _URL_FILE, "secrets.key", "server.secret")
        return any((self.root / name).exists() for name in traces)

    def prepare(self) -> None:
        """Make the directories; `StartError` when this user cannot write there."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for directory in (
                *(self.records, self.media, self.prompts, self.tls),
                *(self.spool, self.recorded, self.left_behind),
            ):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        self._close_to_others()
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise self._unusable(PermissionError("not writable for this user"))

    def _close_to_others(self) -> None:
        """Take from group and others what they may, whoever made it, with whatever umask.

        The directories keep others from all that is in them; files that lie in the open of a
        directory that was open until now are closed one by one.
        """
        folders = (
            *(self.root, self.records, self.media, self.prompts, self.tls),
            *(self.root / "sound", self.spool, self.recorded, self.left_behind),
        )
        files = (path for folder in (self.root, self.tls) for path in folder.iterdir())
        for path in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                mode = path.lstat().st_mode
                if stat.S_ISLNK(mode) or not mode & 0o077:
                    continue
                try:
                    path.chmod(stat.S_IMODE(mode) & ~0o077)
                except PermissionError:
                    log.warning("others may read what the server keeps", path=str(path))

    def free(self) -> float:
        """Return which part of the disk is free, 0 to 1."""
        usage = shutil.disk_usage(self.root)
        return usage.free / usage.total if usage.total else 1.0

    def full(self) -> StartError:
        """Return what to say when there is no room to begin with."""
        return StartError(
            f"The disk of {self.root} is full. Free some room there, or name another "
            "directory with --data DIR."
        )

    def _unusable(self, error: OSError) -> StartError:
        if full_disk(error):
            return self.full()
        return StartError(
            f"The data directory {self.root} cannot be used: {error.strerror or error}. "
            "Name another with --data DIR, or make it writable for this user."
        )

    def secret(self, purpose: str) -> bytes:
        """Return 32 bytes for `purpose`, derived from the server's secret (made at first)."""
        path = self.root / "server.secret"
        if not path.exists():
            write_private(path, secrets.token_hex(32).encode() + b"\n", replace=False)
        return hmac.digest(path.read_bytes().strip(), purpose.encode(), hashlib.sha256)

    def database_url(self, given: str) -> str:
        """Return the database to use: `given`, else what the server was started with."""
        path = self.root / _URL_FILE
        if given or not path.exists():
            return given
        return path.read_text().strip()

    def remember_database(self, url: str) -> None:
        """Keep the server's --database, so that commands on this directory reach it too."""
        path = self.root / _URL_FILE
        if url and (not path.exists() or path.read_text().strip() != url):
            write_private(path, url.encode() + b"\n")

    def lock(self) -> ServerLock:
        """Become the one server of this directory, until `ServerLock.release`."""
        descriptor = os.open(self.root / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(_LOCK_TRIES):  # `running` below holds it for a blink
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_S)
            else:
                return ServerLock(self, descriptor)
        os.close(descriptor)
        pid = self.running().get("pid", "unknown")
        raise StartError(
            f"Another vpbx server (process {pid}) runs on {self.root}. "
            "Stop it first, or give this one its own --data DIR."
        )

    def running(self) -> dict[str, Any]:
        """Return what the server that runs here wrote of itself; empty when none runs."""
        try:
            with (self.root / "server.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return {}  # nobody holds it
        except BlockingIOError:
            pass
        except OSError:
            return {}
        try:
            state = json.loads((self.root / _STATE_FILE).read_text())
        except (OSError, ValueError):
            return {"pid": "unknown"}  # it has only just started
        return state if isinstance(state, dict) else {"pid": "unknown"}


class ServerLock:
    """The lock of a running server; the kernel drops it should the process die."""

    def __init__(self, directory: DataDir, descriptor: int) -> None:
        self._state = directory.root / _STATE_FILE
        self._descriptor: int | None = descriptor
        self.tell({"pid": os.getpid()})

    def tell(self, state: Mapping[str, Any]) -> None:
        """Write what commands and `vpbx doctor` may know of the server."""
        write_private(self._state, json.dumps(dict(state)).encode())

    def release(self) -> None:
        if self._descriptor is not None:
            self._state.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


def full_disk(error: BaseException) -> bool:
    """Whether an error says that a disk has no room."""
    return (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or (
        "disk is full" in str(error)
    )


def keep_private() -> None:
    """Let what this process and its children make be readable for its user alone."""
    os.umask(0o077)


def write_private(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file that only this user may read, whole or not at all.

    With `replace` false a file that is there already stays as it is.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(temporary, path)
        else:
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass
    finally:
        temporary.unlink(missing_ok=True)

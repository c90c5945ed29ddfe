"""Commands of `vpbx` that start at once: forked from a process that has loaded it already.

Loading Python's modules is most of what a command takes, and the tests run hundreds. A command
here is a process as any other, with its own arguments, environment, folder, output and exit
status; only how it began is another. What is about that runs `VPBX` itself.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.support.line import ask, read

__all__ = ["VPBX", "put_vpbx", "run_vpbx", "until_taken"]

VPBX = Path(sys.executable).parent / "vpbx"
_LOADED = (
    *("vpbx.cli", "vpbx.app.database", "vpbx.app.logs", "vpbx.accounts", "vpbx.directory"),
    *("aiosqlite", "alembic.command", "alembic.runtime.migration", "mako.template"),
    *("sqlalchemy.dialects.sqlite.aiosqlite", "vpbx.db.migrate", "vpbx.db.sqlite_reader"),
    *("alembic.config", "concurrent.futures.thread", "pydantic", "typer._adapters", "vpbx.history"),
)
_lock = threading.Lock()
_parent: tuple[int, Path, subprocess.Popen[bytes]] | None = None
"""The process that forks, where it listens, and the process (of pytest) that it belongs to."""


def run_vpbx(
    *words: str | Path, stdin: str = "", timeout_s: float = 110.0, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `vpbx` with these words and return what it wrote.

    Raises subprocess.TimeoutExpired, the command being killed.
    """
    command = [str(VPBX), *map(str, words)]
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        socket.socket(socket.AF_UNIX) as line,
    ):
        given.write(stdin.encode())
        given.seek(0)
        line.connect(str(_listener()))
        fds = [given.fileno(), out.fileno(), err.fileno()]
        ask(line, command, dict(os.environ) if env is None else env, fds)
        pid = int.from_bytes(read(line, 4), "big")
        line.settimeout(timeout_s)
        try:
            status = int.from_bytes(read(line, 4), "big", signed=True)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(command, timeout_s) from None
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(command, status, *texts)


def until_taken(words: Sequence[str]) -> None:
    """Wait, after a command that may change something, as long as a server takes to hear of it.

    A command by itself takes longer than this, so nobody's next step comes sooner either.
    """
    if words[0] != "calls" and not {"list", "show", "log", "trace", "doctor"} & set(words):
        time.sleep(1)  # `calls` asks the server itself


def put_vpbx(folder: Path) -> Path:
    """Make a program `vpbx` in the folder, for a shell, that does the same; return the folder."""
    folder.mkdir(exist_ok=True)
    program = folder / "vpbx"
    words = shlex.join([sys.executable, "-IS", str(Path(__file__).with_name("line.py"))])
    program.write_text(f'#!/bin/sh\nexec {words} {_listener()} {VPBX} "$@"\n')
    program.chmod(0o755)
    return folder


def _listener() -> Path:
    """Start the process that forks, once in each of pytest's; return where it listens."""
    global _parent
    with _lock:
        if _parent is None or _parent[0] != os.getpid() or _parent[2].poll() is not None:
            place = Path(tempfile.mkdtemp(prefix="vpbx-fork-")) / "socket"
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.command", str(place)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "COLUMNS": "200"},
            )
            assert process.stdout is not None
            if not process.stdout.readline():
                raise AssertionError("the process that commands are forked from does not start")
            _parent = os.getpid(), place, process
        return _parent[1]


# -- the process that forks ---------------------------------------------------------------------


def _serve(place: Path) -> None:
    """Fork for who connects, until the process that started this one is gone."""
    import importlib

    import typer.main

    import vpbx.cli

    for name in _LOADED:
        importlib.import_module(name)
    typer.main.get_command = functools.cache(typer.main.get_command)  # it is made of all commands
    typer.main.get_command(vpbx.cli.app)
    gc.freeze()  # what is loaded stays, in memory shared with all commands
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for who waits for a command
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(place))
        door.listen(64)
        os.write(1, b"ready\n")
        while door in select.select([door, sys.stdin], [], [])[0]:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _look_after(line)
            line.close()
    place.unlink()
    place.parent.rmdir()


def _look_after(line: socket.socket) -> NoReturn:
    """Fork the command, tell its process id and, at its end, its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, fds, *_ = socket.recv_fds(line, 4, 3)
    asked = json.loads(read(line, int.from_bytes(head, "big")))
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(asked["argv"], asked["env"], asked["cwd"], fds)
    with contextlib.suppress(OSError):
        line.sendall(pid.to_bytes(4, "big"))
        _, how = os.waitpid(pid, 0)
        line.sendall(os.waitstatus_to_exitcode(how).to_bytes(4, "big", signed=True))
    os._exit(0)


def _become(argv: Sequence[str], env: dict[str, str], cwd: str, fds: Sequence[int]) -> NoReturn:
    """Be the command."""
    for target, fd in enumerate(fds):
        os.dup2(fd, target)
        os.close(fd)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = list(argv)
    sys.path[:] = [path for path in sys.path if path != str(Path(__file__).parents[2])]
    sys.modules["__main__"] = types.ModuleType("__main__")  # it knows its name from there
    from vpbx.cli import main

    status: object = 0
    try:
        main()
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1 if status else 0)  # nothing to take apart


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))

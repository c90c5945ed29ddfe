"""What `vpbx doctor` looks at. Each check says what it found and how to mend it."""

from __future__ import annotations

import asyncio
import ctypes
import datetime
import ipaddress
import os
import resource
import shutil
import tempfile
import time
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpbx.app import DataDir, StartError, certificate, ports
from vpbx.app.certificate import Certificate
from vpbx.cli import security_checks as security
from vpbx.cli.findings import Finding, Result, bad, ok, warning
from vpbx.config import Endpoint, ServeConfig

__all__ = ["Finding", "Result", "examine"]

_MB = 1024 * 1024
_ENOUGH_DISK = 1024 * _MB
_LITTLE_DISK = 100 * _MB
_RECORDING_MB_A_MINUTE = 0.24
"""Stereo MP3 at 32 kbit/s."""
_ENOUGH_FILES = 4096
_BUILT_AFTER = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp()
_ANSWER_S = 10.0
_TIME_ERROR = 5
"""What adjtimex(2) returns when nothing keeps the clock right."""


async def examine(settings: ServeConfig) -> list[Finding]:
    """Run all checks, in the order in which a server would fail."""
    directory = DataDir(settings.data)
    running = directory.running()
    findings = [*data_directory(directory), server(running)]
    findings += port_checks(settings, running)
    findings += [sound_ports(settings), address(settings), certificate_check(settings)]
    findings += [await database(directory, settings.database)]
    findings += await trunks(directory, settings.database)
    findings += [await media_engine(settings), await fax(settings)]
    findings += [clock(), open_files()]
    findings += await security.weak_passwords(directory, settings.database)
    findings += [security.public_sip(settings), security.front(settings), security.packages()]
    if running:
        findings.append(await asyncio.to_thread(security.guessing, directory))
    return findings


def data_directory(directory: DataDir) -> Iterator[Finding]:
    """Can we write there, and is there room?"""
    subject = "data directory"
    existing = directory.root.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield bad(
            subject,
            f"{directory.root} cannot be written",
            "Name another with --data DIR, or give this user the right to write there.",
        )
        return
    made = "" if existing == directory.root.absolute() else ", will be made at the first start"
    yield ok(subject, f"{directory.root}{made}")
    free = shutil.disk_usage(existing).free
    hours = free / _MB / _RECORDING_MB_A_MINUTE / 60
    found = f"{free / _MB / 1024:.1f} GB free, about {hours:,.0f} hours of recordings"
    if free >= _ENOUGH_DISK:
        yield ok("disk", found)
    else:
        make = warning if free >= _LITTLE_DISK else bad
        yield make("disk", found, f"Make room on the disk of {existing}, or move --data.")


def server(running: dict[str, Any]) -> Finding:
    if not running:
        return ok("server", "none runs on this data directory")
    return ok("server", f"process {running['pid']} runs on this data directory")


def port_checks(settings: ServeConfig, running: dict[str, Any]) -> Iterator[Finding]:
    """Is each port free, or our own server's?"""
    wanted: tuple[tuple[str, ports.Transport, Endpoint | None], ...] = (
        ("--sip", "udp", settings.sip),
        ("--sip", "tcp", settings.sip),
        ("--sip-tls", "tcp", settings.sip_tls),
        ("--http", "tcp", settings.http),
        ("--https", "tcp", settings.https),
    )
    for option, transport, endpoint in wanted:
        if endpoint is not None:
            yield _port(option, transport, endpoint, running.get("pid"))


def _port(
    option: str, transport: ports.Transport, endpoint: Endpoint, our_pid: int | None
) -> Finding:
    subject = f"port {endpoint} {transport} ({option})"
    error = ports.why_not(transport, endpoint)
    if error is None:
        return ok(subject, "free")
    holder = ports.holder_of(transport, endpoint.port) if ports.in_use(error) else None
    if holder is not None and holder[0] == our_pid:
        return ok(subject, "used by our server")
    return bad(subject, *ports.explain(error, transport, endpoint, option))


def sound_ports(settings: ServeConfig) -> Finding:
    """Are the ports for sound free of others? Ours sit there only while calls go on."""
    subject = f"ports {settings.rtp} udp (--rtp-ports)"
    host = settings.sip.host if settings.sip else "0.0.0.0"  # noqa: S104
    taken = [
        port
        for port in range(settings.rtp.first, settings.rtp.last + 1)
        if ports.why_not("udp", Endpoint(host, port)) is not None
    ]
    count = settings.rtp.last - settings.rtp.first + 1
    found = f"{count - len(taken)} of {count} free, enough for {(count - len(taken)) // 4} calls"
    if len(taken) < count / 2:
        return ok(subject, found)
    return warning(subject, found, "Choose a range that others leave alone: --rtp-ports A-B.")


def address(settings: ServeConfig) -> Finding:
    """Which address will phones and carriers be told?"""
    told = settings.advertise or certificate.outside_address()
    if settings.advertise:
        return ok("address", f"{told} is told to phones and carriers")
    if ipaddress.ip_address(told).is_private:
        return ok(
            "address",
            f"{told} is told to phones and carriers; it is private",
            "If some of them are on the internet, add --advertise PUBLIC-ADDRESS.",
        )
    return ok("address", f"{told} is told to phones and carriers")


def certificate_check(settings: ServeConfig) -> Finding:
    """Is it there, in time, and for which names?"""
    subject = "certificate"
    path, _key = certificate.certificate_of(settings)
    if not path.exists():
        return ok(subject, "an authority of the server's own will be made at the first start")
    try:
        certificate.loaded_context(settings)
        held = Certificate.read(path)
    except (StartError, OSError, ValueError) as error:
        return bad(subject, f"{path}: {error}", "Delete it to have one of our own made anew.")
    left = held.not_after - datetime.datetime.now(datetime.UTC)
    found = f"{', '.join(held.names) or 'no names'}; until {held.not_after:%Y-%m-%d}"
    if left < datetime.timedelta(0):
        return bad(subject, f"{path} has expired: {found}", "Renew it.")
    if left < datetime.timedelta(days=14):
        return warning(subject, f"{path} expires soon: {found}", "Renew it.")
    if settings.certificate is None:
        return ok(
            subject,
            f"of the server's own authority, for {found}",
            "CRMs and phones must be told to trust it: `vpbx certificate show --ca`, docs/tls.md. "
            "Or get public ones with --acme EMAIL, or give --certificate and --private-key.",
        )
    return ok(subject, found)


async def database(directory: DataDir, given: str) -> Finding:
    """Does it answer, and is its schema the one we know?"""
    from vpbx.db import Database  # SQLAlchemy takes a while: not for --help

    url = directory.database_url(given)
    if not url and not (directory.root / "vpbx.sqlite3").exists():
        return ok("database", "SQLite, will be made at the first start")
    opened = Database.from_url(url) if url else Database.for_data_dir(directory.root)
    shown = opened.url.render_as_string(hide_password=True)
    try:
        async with asyncio.timeout(_ANSWER_S):
            current, newest = await opened.revisions()
    except Exception as error:
        reason = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
        return bad(
            "database",
            f"{shown} does not answer: {reason.splitlines()[0]}",
            "Start it, or correct --database." if url else "Restore the file from a backup.",
        )
    finally:
        await opened.close()
    if current is None:
        return ok("database", f"{shown} is empty, tables will be made at the first start")
    if current == newest:
        return ok("database", f"{shown} answers, schema {current}")
    if newest is not None and current > newest:
        return bad(
            "database",
            f"{shown} was made by a newer vpbx: schema {current}, known up to {newest}",
            "Install that version of vpbx, or a newer one.",
        )
    return ok("database", f"{shown} answers; schema {current} becomes {newest} at the next start")


async def trunks(directory: DataDir, given: str) -> list[Finding]:
    """Do the names of trunks and of companies' registrations lead anywhere?"""
    from vpbx.sip.resolver import Resolver, Unresolved

    resolver = Resolver()

    async def look(place: tuple[str, int, str], subject: str) -> Finding:
        try:
            found = await resolver.find(*place)
        except Unresolved as error:
            return bad(
                subject,
                f"{place[0]} does not resolve: {error.reason}",
                "Correct its address (`vpbx trunk set NAME --address HOST`), or mend DNS here.",
            )
        hops = sorted({f"{hop.host}:{hop.port}/{hop.transport}" for hop in found.hops})
        return ok(subject, f"{place[0]} is {', '.join(hops[:4])}")

    places = await _places(directory, given)
    return list(await asyncio.gather(*(look(*item) for item in places.items())))


async def _places(directory: DataDir, given: str) -> dict[tuple[str, int, str], str]:
    """Return where trunks and registrations lead, and whose each place is."""
    from vpbx.db import Database
    from vpbx.directory import Directory, read_place

    url = directory.database_url(given)
    if not url and not (directory.root / "vpbx.sqlite3").exists():
        return {}
    opened = Database.from_url(url) if url else Database.for_data_dir(directory.root)
    try:
        async with asyncio.timeout(_ANSWER_S):
            current, newest = await opened.revisions()
            if current is None or current != newest:
                return {}
            known = Directory(opened)
            await known.refresh()
            places = {
                (host, port, trunk.transport): f"trunk {trunk.name}"
                for trunk in known.trunks()
                for host, port in trunk.addresses
            }
            for _, account in await known.sip_registrations.everywhere():
                place = read_place(account.proxy or account.domain)
                places.setdefault(place, f"registration {account.telnum}")
            return places
    except Exception:
        return {}  # the check of the database says why
    finally:
        await opened.close()


async def media_engine(settings: ServeConfig) -> Finding:
    """Does it start? Tried on a few ports, with directories of its own."""
    from vpbx.media import MediaConfig, MediaEngine, MediaError

    subject = "media engine"
    with tempfile.TemporaryDirectory(prefix="vpbx-doctor-") as name:
        scratch = Path(name)
        host = settings.sip.host if settings.sip else "127.0.0.1"
        first = max(settings.rtp.first, settings.rtp.last - 39)
        engine = MediaEngine(
            MediaConfig(
                spool_dir=scratch / "spool",
                record_dir=scratch / "record",
                prompts_dir=scratch / "prompts",
                listen_host=host,
                port_min=first,
                port_max=settings.rtp.last,
                remote=settings.media or None,
                max_sessions=10,
            )
        )
        try:
            async with asyncio.timeout(_ANSWER_S):
                await engine.start()
                health = await engine.health()
        except (MediaError, OSError, TimeoutError) as error:
            found = f"does not start: {error}"
            return bad(subject, found, "Reinstall with `make clean setup`, or give --rtp-ports.")
        finally:
            await engine.stop()
    if health.ok:
        return ok(subject, f"starts, version {health.version}")
    return warning(subject, health.problems[0], " ".join(health.problems[1:]))


async def fax(settings: ServeConfig) -> Finding:
    """Could a fax be received?"""
    from vpbx.media import FaxMachines, MediaConfig

    with tempfile.TemporaryDirectory(prefix="vpbx-doctor-") as name:
        scratch = Path(name)
        config = MediaConfig(spool_dir=scratch, record_dir=scratch, prompts_dir=scratch)
        problem = await FaxMachines(config).problem()
    if not problem:
        return ok("fax", "can be received")
    remedy = "Needed only for numbers that take faxes: apt-get install libspandsp2"
    return warning("fax", problem, remedy)


def clock() -> Finding:
    """Is the time right, as far as this machine can tell?"""
    now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
    try:
        zoneinfo.ZoneInfo("Europe/Moscow")
    except zoneinfo.ZoneInfoNotFoundError:
        return bad("clock", "no time zone data", "Install the package tzdata.")
    if time.time() < _BUILT_AFTER:
        return bad("clock", f"{now} is in the past", "Set the clock, best by NTP.")
    kept = _kept_by_ntp()
    if kept is None:
        return ok("clock", f"{now}; whether NTP keeps it right is not known here")
    if not kept:
        return warning(
            "clock", f"{now}, kept right by nobody", "Run an NTP service (chrony, timesyncd)."
        )
    return ok("clock", f"{now}, kept right by NTP")


def _kept_by_ntp() -> bool | None:
    """Ask the kernel (adjtimex, only reading); None where it does not say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != _TIME_ERROR)


def open_files() -> Finding:
    """A call takes six sockets at most."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _ENOUGH_FILES:
        return ok("open files", f"up to {soft}")
    return warning(
        "open files",
        f"up to {soft}, enough for about {max(0, soft - 100) // 6} calls",
        "Raise the limit: ulimit -n 65536, or LimitNOFILE=65536 in the systemd unit.",
    )

"""Invitations by mail, from the command line: the running server sends them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vpbx.app import DataDir
from vpbx.cli.output import BAD_INPUT, Fault
from vpbx.cli.store import on_database

if TYPE_CHECKING:
    from vpbx.accounts import Invitation
    from vpbx.db import Database
    from vpbx.directory import DomainConfig

__all__ = ["check_mail", "mail_invitation"]


def check_mail(data: Path, address: str | None = None) -> None:
    """Raise Fault unless a server runs that sends mail, and the address is one."""
    if address is not None and not _is_mail_address(address):
        raise Fault(f"--mail: '{address}' is not an e-mail address", BAD_INPUT)
    running = DataDir(data.absolute()).running()
    if not running:
        raise Fault("no server runs that could send it: leave out --mail to see the link")
    if not running.get("mail"):
        raise Fault(
            "this server sends no mail: start it with --smtp URL --mail-from ADDRESS, "
            "or leave out --mail to see the link"
        )


def _is_mail_address(text: str) -> bool:
    from vpbx.directory.values import Values

    read = Values({"mail": text})
    return bool(read.email("mail")) and not read.errors


def mail_invitation(
    data: Path,
    database: str,
    company: DomainConfig | None,
    name: str,
    address: str,
    link: str,
    made: Invitation,
) -> None:
    """Put an invitation on its way; the server looks for letters every half minute."""
    from vpbx.clock import LoopClock
    from vpbx.console import invitation_letter
    from vpbx.mail import Letter, keep_letter

    letter = invitation_letter(company, name, link, made.expires_at)
    domain_id = company.id if company is not None else 0
    kept = Letter(domain_id, address, letter.subject, letter.body, html=letter.html)

    async def work(opened: Database) -> None:
        await keep_letter(opened, kept, LoopClock().time())

    on_database(data, database, work)

"""Who may use the console: employees' and operators' accounts, sessions, second factors; and the
log of what was changed by whom.

    Accounts(database, directory, clock)
    await invite(domain, login), invite_operator(name) -> Invitation    invited(token)
    await accept(token, password) -> Account      log_in(domain, login, password, source)
    await open(account, pending=, address=, agent=) -> token    session(token) -> Session | None
    await sessions(account) end(account, id) end_others(account, but)    on_ended(tell)
    await change_password(session, old, new, source) set_language(account, language)
    await confirm(session, password, source, field=)    proofs.is_recent(session_id)
    await of_domain(domain) operators() remove(account)     settings.get/set     throttle
    watch.run(): sessions that other processes end    watch.hold(id) watch.also(source)
    second (codes), passkeys: what is asked for after the password
"""

from __future__ import annotations

from vpbx.accounts.accounts import Accounts, Invitation
from vpbx.accounts.audit import Audit, Entry
from vpbx.accounts.errors import AccountError, Busy, Refused, TooMany
from vpbx.accounts.passkeys import Site
from vpbx.accounts.settings import ConsoleSettings, in_words
from vpbx.accounts.store import Account, Session

__all__ = [
    "Account",
    "AccountError",
    "Accounts",
    "Audit",
    "Busy",
    "ConsoleSettings",
    "Entry",
    "Invitation",
    "Refused",
    "Session",
    "Site",
    "TooMany",
    "in_words",
]

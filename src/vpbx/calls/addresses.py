"""Names and numbers as SIP headers carry them: who calls us, and what we write about callers.

Everything that comes from outside is cleaned here, once: a display name cannot leave its
quotes, a user part cannot leave its URI, nothing can start a new line.
"""

from __future__ import annotations

from urllib.parse import quote

import sipmessage

from vpbx.directory import (
    Department,
    DomainConfig,
    Employee,
    Invalid,
    is_outside_number,
    read_number,
)
from vpbx.events import Group, Party
from vpbx.frozen import dataclass
from vpbx.sip import Request, parse_address

__all__ = [
    "ANONYMOUS",
    "Shown",
    "dialled",
    "group_of",
    "hidden_sender",
    "hides_caller",
    "mistyped_ext",
    "name_addr",
    "outside_caller",
    "party_of",
    "trunk_dialled",
]

ANONYMOUS = "anonymous"
_HIDDEN_USERS = frozenset(("anonymous", "restricted", "unavailable", "private", "unknown", ""))
_HIDING = frozenset(("id", "user", "header"))
_MAX_NAME = 80
_MAX_USER = 64
_MAX_DIALLED = 256
_USER_SAFE = "-_.!~*'&=+$"


@dataclass(frozen=True, slots=True)
class Shown:
    """A caller as the called side is to see them; `user` "" is somebody who hides."""

    user: str
    name: str = ""


def party_of(employee: Employee) -> Party:
    """Return the employee as call events name them."""
    return Party(employee.login, employee.name, employee.ext, employee.telnum)


def group_of(department: Department) -> Group:
    """Return the department as call events name it."""
    return Group(department.id, department.name)


def clean_name(name: str) -> str:
    """Return a display name of printable characters, on one line, not too long."""
    printable = name[: 4 * _MAX_NAME]
    if not printable.isprintable():
        printable = "".join(char if char.isprintable() else " " for char in printable)
    return " ".join(printable.split())[:_MAX_NAME]


def name_addr(shown: Shown, host: str) -> str:
    """Write `shown` as the value of a From, To or identity header."""
    if not shown.user:
        return '"Anonymous" <sip:anonymous@anonymous.invalid>'
    uri = f"<sip:{quote(shown.user[:_MAX_USER], safe=_USER_SAFE)}@{host}>"
    if not shown.name:
        return uri
    name = clean_name(shown.name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" {uri}'


def written(uri: sipmessage.URI) -> str:
    """Return what stands for the user in a URI: the user part, of a `tel` with its parameters."""
    user = uri.user or ""
    return f"{user}{uri.parameters}" if uri.scheme == "tel" else user


def number_in(text: str, country: str) -> str:
    """Return the phone number that stands for the user of a URI, "" when there is none."""
    try:
        return read_number(text, country).digits if text else ""
    except Invalid:
        return ""


def hidden_sender(request: Request) -> bool:
    """Say whether From names nobody: it is anonymous, or cannot be read (RFC 3323 §4.1)."""
    try:
        uri = request.from_address.uri
    except ValueError:
        return True
    return (uri.user or "").lower() in _HIDDEN_USERS or uri.host.lower() == "anonymous.invalid"


def hides_caller(request: Request) -> bool:
    """Say whether a caller asks to stay hidden, by Privacy or by an anonymous From."""
    if asked := request.headers.getlist("Privacy"):
        privacy = ";".join(asked).lower().replace(",", ";").split(";")
        if not _HIDING.isdisjoint(part.strip() for part in privacy):
            return True
    return hidden_sender(request)


def outside_caller(request: Request, country: str) -> Shown:
    """Return who calls, as a trunk tells it (RFC 3325, RFC 3323).

    P-Asserted-Identity beats From. Somebody who asks to stay hidden is anonymous to everybody
    here: number and name are "".
    """
    if hides_caller(request):
        return Shown("")
    from_ = request.from_address
    name = clean_name(from_.name)
    for identity in _asserted(request):
        number = number_in(identity, country)
        if number:
            return Shown(number, name)
    return Shown(number_in(written(from_.uri), country), name)


def _asserted(request: Request) -> list[str]:
    if "P-Asserted-Identity" not in request.headers:
        return []
    try:
        identities = [parse_address(v) for v in request.headers.getlist("P-Asserted-Identity")]
    except ValueError:
        return []
    return [written(identity.uri) for identity in identities]


def trunk_dialled(request: Request) -> list[str]:
    """Return what a trunk may mean as the called number: Request-URI user, then To's.

    Between the two stands P-Called-Party-ID (RFC 7315): a carrier that calls the account we
    registered with says there which number was dialled.
    """
    users = []
    try:
        users.append(written(request.uri))
        if party := request.headers.get("P-Called-Party-ID"):
            users.append(written(parse_address(party).uri))
        users.append(written(request.to_address.uri))
    except ValueError:
        pass
    return users


def mistyped_ext(domain: DomainConfig, called: str) -> bool:
    """Say whether what an employee dialled is as long as the exts here are, and nobody's.

    It is not sent to the carrier then: nobody outside can have it either.
    """
    return (
        called.isdigit()
        and len(called) in {len(ext) for ext in domain.by_ext}
        and not is_outside_number(called, domain.country)
    )


def dialled(request: Request) -> str:
    """Return what an employee dialled: the user of the Request-URI, unescaped."""
    try:
        return written(request.uri).strip()[:_MAX_DIALLED]
    except ValueError:
        return ""

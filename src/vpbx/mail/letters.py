"""What the letters say, in the company's language and local time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from vpbx.directory import DomainConfig
from vpbx.events import CallInfo, Direction, FaxReceived, MessageLeft

__all__ = ["Text", "fax_text", "voicemail_text"]


@dataclass(frozen=True, slots=True)
class Text:
    """Subject and body of a letter, and what its attachment is called."""

    subject: str
    body: str
    attachment_name: str


_ENDING = {"voicemail": "mp3", "fax": "pdf"}
_WORDS = {
    "en": {
        "voicemail": "Voice message from {who}",
        "fax": "Fax from {who}",
        "hidden": "a hidden number",
        "from": "From: {who}",
        "to": "To number: {number}",
        "at": "At: {at} ({zone})",
        "length": "Length: {length}",
        "pages": "Pages: {pages}",
        "cut": "The transmission broke off: there may be more pages.",
    },
    "ru": {
        "voicemail": "Голосовое сообщение от {who}",
        "fax": "Факс от {who}",
        "hidden": "абонента со скрытым номером",
        "from": "От кого: {who}",
        "to": "На номер: {number}",
        "at": "Когда: {at} ({zone})",
        "length": "Длительность: {length}",
        "pages": "Страниц: {pages}",
        "cut": "Передача прервалась: страниц могло быть больше.",
    },
}


def voicemail_text(domain: DomainConfig, call: CallInfo, message: MessageLeft) -> Text:
    """Return the letter of a voicemail message."""
    minutes, seconds = divmod(message.seconds, 60)
    who = _who(message.client, message.name, inner=call.direction is Direction.INNER)
    return _text(domain, call, "voicemail", who, message.at, ("length", f"{minutes}:{seconds:02d}"))


def fax_text(domain: DomainConfig, call: CallInfo, fax: FaxReceived) -> Text:
    """Return the letter of a fax."""
    who = _who(fax.client, fax.name, inner=call.direction is Direction.INNER)
    text = _text(domain, call, "fax", who, fax.at, ("pages", str(fax.pages)))
    if fax.whole:
        return text
    cut = _WORDS.get(domain.language, _WORDS["en"])["cut"]
    return replace(text, body=f"{text.body}{cut}\n")


def _who(client: str, name: str, *, inner: bool = False) -> str:
    number = client if inner or not client else f"+{client}"
    return " ".join(filter(None, (name, number)))


def _text(
    domain: DomainConfig, call: CallInfo, kind: str, who: str, at: float, measure: tuple[str, str]
) -> Text:
    words = _WORDS.get(domain.language, _WORDS["en"])
    who = who or words["hidden"]
    local = datetime.fromtimestamp(at, UTC).astimezone(domain.zone)
    lines = [
        words["from"].format(who=who),
        words["to"].format(number=f"+{call.diversion}") if call.diversion else "",
        words["at"].format(at=f"{local:%d.%m.%Y %H:%M}", zone=domain.timezone),
        words[measure[0]].format(**{measure[0]: measure[1]}),
    ]
    return Text(
        words[kind].format(who=who),
        "\n".join(filter(None, lines)) + "\n",
        f"{local:%Y-%m-%d_%H-%M}_{call.client or 'anonymous'}.{_ENDING[kind]}",
    )

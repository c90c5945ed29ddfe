r"""Messages kept as text: torture messages of our own, and what the fuzzers found.

A file begins with comment lines (`#`) and an empty one; the rest is the message, its line ends
standing for CRLF. `\xNN` is a byte that a text file cannot show.
"""

from __future__ import annotations

import re
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[1] / "hostile" / "corpus"
RFC4475 = Path(__file__).resolve().parents[3] / "shared" / "data" / "rfc4475"
"""The messages of the RFC itself, where somebody has put them beside the project."""

_BYTE = re.compile(rb"\\x([0-9a-f]{2})")
_SHOWN = re.compile(rb"[^\n\x20-\x7e]|\\(?=x[0-9a-f]{2})| (?=\n)")


def read_message(path: Path) -> bytes:
    """Return the bytes of a message."""
    _, _, text = path.read_bytes().partition(b"\n\n")
    return _BYTE.sub(lambda found: bytes([int(found[1], 16)]), text.replace(b"\n", b"\r\n"))


def write_message(path: Path, comment: str, data: bytes) -> None:
    """Keep a message; `read_message` gives the same bytes."""
    text = data.replace(b"\r\n", b"\0line\0")
    text = text.replace(b"\n", b"\\x0a").replace(b"\0line\0", b"\n")
    shown = _SHOWN.sub(lambda found: b"\\x%02x" % found[0][0], text)
    path.parent.mkdir(parents=True, exist_ok=True)
    comments = "".join(f"# {line}\n" for line in comment.splitlines())
    path.write_bytes(comments.encode() + b"\n" + shown)


def torture(name: str, source: str = "ours") -> bytes:
    """Return our message of a kind of RFC 4475, or (`rfc4475`) the RFC's own."""
    if source == "ours":
        return read_message(CORPUS / "torture" / f"{name}.txt")
    return (RFC4475 / f"{name}.dat").read_bytes()


SOURCES = ["ours", "rfc4475"] if RFC4475.is_dir() else ["ours"]


def all_torture() -> dict[str, bytes]:
    """Return every torture message there is, by source and name."""
    names = sorted(path.stem for path in (CORPUS / "torture").glob("*.txt"))
    return {f"{source}/{name}": torture(name, source) for source in SOURCES for name in names}

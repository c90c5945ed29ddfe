"""multipart/form-data (RFC 7578), each part in its own charset; files are left out."""

from __future__ import annotations

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from vpbx.api.charset import charset_of, decode, known

__all__ = ["Broken", "read_multipart"]

_MAX_HEADERS = 16


class Broken(ValueError):
    """What was sent is no multipart/form-data."""


class _Parts:
    """Gathers the fields of a form while the parser walks over it."""

    def __init__(self, max_fields: int) -> None:
        self.fields: list[tuple[bytes, str, bytes]] = []
        """Name, Content-Type and value."""
        self._max_fields = max_fields
        self._headers: dict[bytes, bytes] = {}
        self._header = self._value = b""
        self._data: list[bytes] = []

    def on_part_begin(self) -> None:
        self._headers, self._data = {}, []

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if len(self._headers) >= _MAX_HEADERS:
            raise Broken
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def on_part_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options or len(self.fields) >= self._max_fields:
            raise Broken
        if b"filename" not in options:
            kind = self._headers.get(b"content-type", b"").decode("latin-1")
            self.fields.append((options[b"name"], kind, b"".join(self._data)))


def read_multipart(content_type: str, body: bytes, max_fields: int) -> list[tuple[str, str]]:
    """Return names and values.

    A part is in the charset its own Content-Type names, else the field `_charset_` (RFC 7578
    §4.6), else the whole body's, else UTF-8. Raises Broken, or NotText.
    """
    _, options = parse_options_header(content_type)
    parts = _Parts(max_fields)
    try:
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value")
        callbacks = {f"on_{each}": getattr(parts, f"on_{each}") for each in (*names, "header_end")}
        parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (FormParserError, KeyError):
        raise Broken from None
    default = charset_of(content_type)
    for name, _, value in parts.fields:
        if name == b"_charset_":
            default = known(value.decode("latin-1").strip())
    return [
        (decode(name, default), decode(value, charset_of(kind, default)))
        for name, kind, value in parts.fields
    ]

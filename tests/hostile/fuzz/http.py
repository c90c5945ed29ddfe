"""HTTP/1.1 requests by the grammar of RFC 9112, nearly right."""

from __future__ import annotations

from tests.hostile.fuzz.chance import Chance, Make

_PATHS = (
    *("/", "/crmapi/v1/users", "/crmapi/v1/history/json?period=today", "/crmapi/v1/makecall"),
    *("/crmapi/v1/users/admin?with=status", "//crmapi//v1//users", "/metrics", "/docs"),
    *("/crmapi/v1/../../etc/passwd", "/%00", "/%2e%2e/%2e%2e", "*", "http://h/crmapi/v1/users"),
    *("/crmapi/v1/openapi.json", "/crmapi/v1/telnums?start=-1&limit=x", "/record/1.mp3", "/ws"),
)
_HEADERS: dict[str, Make] = {
    "Host": lambda c: c.choice(("acme.example", "127.0.0.1:1", "", "a, b", "[::1]")),
    "X-API-KEY": lambda c: c.token(40),
    "Content-Type": lambda c: c.choice(
        (
            *("application/json", "application/x-www-form-urlencoded; charset=windows-1251"),
            *("multipart/form-data; boundary=b", "text/plain; charset=nothing", "x"),
        )
    ),
    "Accept": lambda c: c.choice(("*/*", "application/json;q=0.1, text/html", "")),
    "Authorization": lambda c: c.choice(("Basic eDp5", "Basic ", "Bearer x", c.token())),
    "Cookie": lambda c: f"{c.token()}={c.quoted()}",
    "Origin": lambda c: c.choice(("https://crm.example", "null", c.token())),
    "X-Forwarded-For": lambda c: c.choice(("1.2.3.4", "::1, 127.0.0.1", c.odd())),
    "Range": lambda c: f"bytes={c.number()}-{c.number()}",
    "Expect": lambda c: c.choice(("100-continue", "x")),
    "Connection": lambda c: c.choice(("close", "keep-alive", "Upgrade", "close, TE")),
    "Upgrade": lambda c: c.choice(("websocket", "h2c", "")),
    "If-Modified-Since": lambda c: c.choice(("Sat, 13 Nov 2027 23:29:00 GMT", "x")),
    "Content-Length": lambda c: c.number(),
    "Transfer-Encoding": lambda c: c.choice(("chunked", "gzip, chunked", "identity", "Chunked")),
}
_BODIES = (
    *('{"phone": "112"}', "{", "[" * 500, '"\\ud800"', "phone=%FF&user=%00", "a=1&" * 50),
    '--b\r\nContent-Disposition: form-data; name="phone"\r\n\r\n112\r\n--b--\r\n',
    '--b\r\nContent-Disposition: form-data; name="\r\n\r\n',
)


def _chunked(c: Chance, body: str) -> str:
    size = c.choice((f"{len(body):x}", c.number(), f"{len(body):x};ext={c.quoted()}", "-1", ""))
    return f"{size}\r\n{body}\r\n{c.choice(('0', '00', ''))}\r\n{c.choice(('', 'T: x'))}\r\n"


def request(c: Chance) -> bytes:
    """One request, or several behind each other."""
    text = ""
    for _ in range(c.choice((1, 1, 1, 2, 5))):
        method = c.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", c.token()))
        start = f"{method} {c.choice(_PATHS)} HTTP/{c.choice(('1.1', '1.1', '1.1', '1.0', '9.9'))}"
        names = ["Host", *c.some(tuple(_HEADERS), 7)]
        lines = [c.sometimes_spoilt(f"{name}: {_HEADERS[name](c)}") for name in names]
        body = c.choice(_BODIES) if c.maybe(0.5) else ""
        if body and c.maybe(0.3):
            lines.append("Transfer-Encoding: chunked")
            body = _chunked(c, body)
        elif body and c.maybe(0.8):
            lines.append(f"Content-Length: {len(body)}")
        text += "\r\n".join([c.sometimes_spoilt(start, 0.05), *lines, "", body])
    return text.encode("utf-8", "replace")

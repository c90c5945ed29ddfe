"""A browser's softphone against a real server: SIP over WebSocket, sound by WebRTC (aiortc)."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import ssl
from collections.abc import Callable

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.calls.test_webrtc import Browser
from tests.e2e.conftest import Company, needs_baresip
from tests.e2e.test_softphone import frequency, softphone


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class WebPhone:
    """What a page's SIP library does, as far as these tests need it (RFC 7118)."""

    def __init__(self, company: Company, login: str, socket: ClientConnection, hz: float) -> None:
        self.company, self.login, self.socket = company, login, socket
        self.browser = Browser(hz)
        self._host = f"{secrets.token_hex(6)}.invalid"
        self._cseq = 0
        self.call: dict[str, str] = {}

    def _message(self, start: str, headers: dict[str, str], body: str = "") -> str:
        lines = [start, *(f"{name}: {value}" for name, value in headers.items())]
        if body:
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(body.encode())}", "", body]
        return "\r\n".join(lines)

    async def request(self, method: str, uri: str, *, body: str = "", more: str = "") -> str:
        """Send a request, with credentials when it is challenged; return the final response."""
        me = f"<sip:{self.login}@{self.company.domain}>"
        to = me if method == "REGISTER" else f"<{uri}>"
        call_id, tag = secrets.token_hex(8), secrets.token_hex(4)
        headers = {
            "From": f"{me};tag={tag}",
            "To": to,
            "Call-ID": call_id,
            "Contact": f"<sip:{self.login}@{self._host};transport=ws>",
            "Max-Forwards": "70",
        }
        for _ in range(2):
            self._cseq += 1
            branch = f"z9hG4bK{secrets.token_hex(6)}"
            headers |= {
                "Via": f"SIP/2.0/WSS {self._host};branch={branch}",
                "CSeq": f"{self._cseq} {method}",
            }
            await self.socket.send(self._message(f"{method} {uri} SIP/2.0", headers, body))
            answer = await self._response_to(branch)
            if method == "INVITE":
                ack = headers | {"To": value(answer, "To"), "CSeq": f"{self._cseq} ACK"}
                ack.pop("Authorization", None)
                target = re.search(r"Contact: <([^>]+)>", answer)
                await self.socket.send(
                    self._message(f"ACK {target[1] if target else uri} SIP/2.0", ack)
                )
            if not answer.startswith(("SIP/2.0 401", "SIP/2.0 407")):
                return answer
            name = "Authorization" if " 401 " in answer[:14] else "Proxy-Authorization"
            headers[name] = self._credentials(answer, method, uri)
        return answer

    def _credentials(self, challenge: str, method: str, uri: str) -> str:
        line = next(
            text for text in challenge.splitlines() if "uthenticate:" in text and "MD5" in text
        )
        said = dict(re.findall(r'(\w+)="([^"]*)"', line))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        one = md5(f"{self.login}:{said['realm']}:{self.company.password}")
        two = md5(f"{method}:{uri}")
        response = md5(f"{one}:{said['nonce']}:00000001:abc:auth:{two}")
        return (
            f'Digest username="{self.login}", realm="{said["realm"]}", nonce="{said["nonce"]}", '
            f'uri="{uri}", response="{response}", algorithm=MD5, qop=auth, nc=00000001, '
            'cnonce="abc"'
        )

    async def _response_to(self, branch: str) -> str:
        return await self.receive(lambda text: text.startswith("SIP/2.0 ") and branch in text)

    async def receive(self, wanted: Callable[[str], bool]) -> str:
        """Return the next message that is wanted; provisional responses are not."""
        async with asyncio.timeout(30):
            while True:
                got = await self.socket.recv()
                text = got if isinstance(got, str) else got.decode()
                if wanted(text) and not text.startswith("SIP/2.0 1"):
                    return text

    async def register(self) -> None:
        answer = await self.request("REGISTER", f"sip:{self.company.domain}")
        assert answer.startswith("SIP/2.0 200"), answer

    async def dial(self, ext: str) -> None:
        offer = await self.browser.offer()
        answer = await self.request("INVITE", f"sip:{ext}@{self.company.domain}", body=offer)
        assert answer.startswith("SIP/2.0 200"), answer
        await self.browser.answered(answer.partition("\r\n\r\n")[2])

    async def pick_up(self) -> None:
        invite = await self.receive(lambda text: text.startswith("INVITE "))
        answer = await self.browser.answer(invite.partition("\r\n\r\n")[2])
        headers = {name: value(invite, name) for name in ("Via", "From", "To", "Call-ID", "CSeq")}
        headers["To"] += f";tag={secrets.token_hex(4)}"
        headers["Contact"] = f"<sip:{self.login}@{self._host};transport=ws>"
        await self.socket.send(self._message("SIP/2.0 200 OK", headers, answer))


def value(message: str, name: str) -> str:
    return next(
        line.partition(":")[2].strip()
        for line in message.splitlines()
        if line.lower().startswith(f"{name.lower()}:")
    )


def web_socket(company: Company, **options: object) -> connect:
    url = f"wss://{company.pbx.addresses['https']}/sip"
    settings: dict[str, object] = {"subprotocols": ["sip"], "ssl": trusting(), **options}
    return connect(url, **settings)  # type: ignore[arg-type]


@needs_baresip
@pytest.mark.parametrize("browser_calls", [True, False])
async def test_a_browser_and_a_sip_phone_hear_each_other(
    company: Company, browser_calls: bool
) -> None:
    for ext in ("711", "712"):
        await company.employee(ext)
    desk = softphone(company, "user712", tone_hz=1200, answer="auto")
    async with web_socket(company) as socket, desk:
        web = WebPhone(company, "user711", socket, 500)
        try:
            await web.register()
            await desk.registers()
            if browser_calls:
                await web.dial("712")
            else:
                await desk.command("dial", f"sip:711@{company.domain}")
                await web.pick_up()
            await web.browser.hears(1200)
            await desk.hears_something()
        finally:
            await web.browser.close()
    assert frequency(desk.heard()[-1]) == pytest.approx(500, abs=10)


async def test_a_page_of_somebody_else_may_not_open_it(company: Company) -> None:
    for origin in ("https://evil.example", "null", "https://[", "https://127.0.0.1.evil.example"):
        with pytest.raises(InvalidStatus):
            async with web_socket(company, origin=origin):
                pass
    async with web_socket(company, origin=f"https://{company.pbx.addresses['https']}"):
        pass

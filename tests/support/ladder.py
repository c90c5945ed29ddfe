"""SIPp scenarios written as ladders.

A ladder is a list of steps, seen from SIPp: `send(...)`, `recv(...)`, `pause(ms)`. `run` makes
the XML of it, lets SIPp play it and returns whether every call went by the ladder.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

SDP = """\
v=0
o=sipp 53655765 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP {payloads}
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a={direction}"""

HEAD = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}
From: <sip:{caller}@{domain}>;tag=[pid]s[call_number]
To: <sip:{called}@{domain}>{to_tag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:{caller}@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70"""

ECHO = """\
[last_Via:]
[last_From:]
[last_To:]{to_tag}
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>"""


@dataclass(frozen=True)
class Step:
    """One line of a ladder, as SIPp's XML."""

    xml: str


def _message(text: str, *, retrans: bool) -> Step:
    attribute = ' retrans="500"' if retrans else ""
    return Step(f"<send{attribute}><![CDATA[\n{text}\n]]></send>")


def _body(sdp: str | None) -> str:
    if sdp is None:
        return "Content-Length: 0\n\n"
    return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{sdp}\n"


def sdp(direction: str = "sendrecv", version: int = 1, payloads: str = "8 0 101") -> str:
    """Return a description of SIPp's own sound."""
    return SDP.format(direction=direction, version=version, payloads=payloads)


class Caller:
    """Requests of the calling side, inside one dialog."""

    def __init__(self, *, caller: str, called: str, domain: str) -> None:
        self.caller, self.called, self.domain = caller, called, domain

    def send(
        self,
        method: str,
        *,
        cseq: int = 1,
        body: str | None = None,
        in_dialog: bool = False,
        headers: str = "",
        again: bool = True,
    ) -> Step:
        """Send a request; `again` lets SIPp retransmit it until it is answered."""
        uri = "[next_url]" if in_dialog else f"sip:{self.called}@[remote_ip]:[remote_port]"
        tag = "[peer_tag_param]" if in_dialog or method == "ACK" else ""
        of_invite = method in {"INVITE", "CANCEL"} or (method == "ACK" and not in_dialog)
        head = HEAD.format(
            caller=self.caller,
            called=self.called,
            domain=self.domain,
            cseq=cseq,
            method=method,
            to_tag=tag,
            # CANCEL and the ACK of a refusal belong to the INVITE's own transaction
            branch=f"z9hG4bK-[pid]-[call_number]-i{cseq}" if of_invite else "[branch]",
        )
        extra = f"{headers}\n" if headers else ""
        routes = "[routes]\n" if in_dialog else ""
        text = f"{method} {uri} SIP/2.0\n{head}\n{routes}{extra}{_body(body)}"
        return _message(text, retrans=again and method not in {"ACK"})


def respond(
    code: int,
    phrase: str,
    *,
    body: str | None = None,
    tag: bool = True,
    again: bool = False,
    headers: str = "",
) -> Step:
    """Answer the request received last; `again` retransmits a final until the ACK."""
    to_tag = ";tag=[pid]r[call_number]" if tag else ""
    extra = f"{headers}\n" if headers else ""
    text = f"SIP/2.0 {code} {phrase}\n{ECHO.format(to_tag=to_tag)}\n{extra}{_body(body)}"
    return _message(text, retrans=again)


def recv(
    what: int | str, *, optional: bool = False, auth: bool = False, timeout_ms: int = 0
) -> Step:
    """Wait for a response (its code) or a request (its method)."""
    kind = "response" if isinstance(what, int) else "request"
    attributes = f'{kind}="{what}"'
    if optional:
        attributes += ' optional="true"'
    elif isinstance(what, int) and what >= 180 and what not in {401, 407}:
        attributes += ' rrs="true"'
    if auth:
        attributes += ' auth="true"'
    if timeout_ms:
        attributes += f' timeout="{timeout_ms}"'
    return Step(f"<recv {attributes}/>")


def pause(milliseconds: int) -> Step:
    """Let time pass."""
    return Step(f'<pause milliseconds="{milliseconds}"/>')


REMEMBER = """
<action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="1"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="2"/>
<ereg regexp="sip:[^>;]+" search_in="hdr" header="Contact:" assign_to="3"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="4"/>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="5"/>
</action>
"""


def recv_invite() -> Step:
    """Wait for an INVITE and keep what `callee_sends` and `answer_invite` need."""
    return Step(f'<recv request="INVITE">{REMEMBER}</recv><Reference variables="1,2,3,4,5"/>')


def answer_invite(code: int, phrase: str, *, body: str | None = None, again: bool = False) -> Step:
    """Answer the INVITE of `recv_invite`, whatever came since."""
    head = f"""\
SIP/2.0 {code} {phrase}
Via:[$5]
From:[$1]
To:[$2];tag=[pid]r[call_number]
Call-ID: [call_id]
CSeq:[$4]
Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>"""
    return _message(f"{head}\n{_body(body)}", retrans=again)


def callee_sends(method: str, *, cseq: int = 1, body: str | None = None) -> Step:
    """Send a request of the called side inside the dialog of `recv_invite`."""
    head = f"""\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From:[$2];tag=[pid]r[call_number]
To:[$1]
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:phone@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70"""
    return _message(f"{method} [$3] SIP/2.0\n{head}\n{_body(body)}", retrans=method != "ACK")


@dataclass
class SippResult:
    """How a ladder went."""

    code: int
    output: str

    @property
    def ok(self) -> bool:
        """Whether every call went step by step as the ladder says."""
        return self.code == 0


class Sipp:
    """One SIPp playing a ladder; started by `start`, ended by `done`."""

    def __init__(self, folder: Path, name: str, steps: list[Step]) -> None:
        self.folder, self.name = folder, name
        body = "\n".join(step.xml for step in steps)
        self._file = folder / f"{name}.xml"
        self._errors = folder / f"{name}-errors.log"
        self._messages = folder / f"{name}-messages.log"
        self._file.write_text(
            f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{escape(name)}">\n'
            f"{body}\n</scenario>\n"
        )

    async def start(
        self, *, target: str, port: int, calls: int = 1, transport: str = "u1", timeout_s: int = 30
    ) -> Sipp:
        """Begin to play against `target` (`host:port`) from local port `port`."""
        self._process = await asyncio.create_subprocess_exec(
            "sipp",
            target,
            *("-sf", str(self._file), "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(port)),
            *("-m", str(calls), "-t", transport, "-nostdin", "-timeout", str(timeout_s)),
            *("-timeout_error", "-trace_err", "-error_file", str(self._errors)),
            *("-trace_msg", "-message_file", str(self._messages)),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return self

    async def done(self) -> SippResult:
        """Wait for the end of the last call."""
        output, _ = await self._process.communicate()
        text = output.decode(errors="replace")[-1500:]
        if self._errors.exists():
            text = self._errors.read_text(errors="replace")[:3000] + text
        return SippResult(self._process.returncode or 0, text)

    def saw(self, words: str) -> bool:
        """Say whether a message it has sent or received has these words."""
        return self._messages.exists() and words in self._messages.read_text(errors="replace")

    def kill(self) -> None:
        """End it now; its calls are as if the machine had gone."""
        if self._process.returncode is None:
            self._process.kill()

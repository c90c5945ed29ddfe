"""The values that cross the media part's border."""

from __future__ import annotations

from dataclasses import field
from enum import Enum, StrEnum
from pathlib import Path

from vpbx.frozen import dataclass

_ANY = "0.0.0.0"  # noqa: S104


class MediaError(Exception):
    """The media engine could not do what was asked: no port free, it is gone, no such prompt."""


class Side(Enum):
    """An end of a media session: A called (the customer of an incoming call), B was called."""

    A = "a"
    B = "b"

    __hash__ = object.__hash__  # of a C slot; Enum's own is a function of Python

    @property
    def other(self) -> Side:
        """The other end."""
        return Side.B if self is Side.A else Side.A


class Mode(StrEnum):
    """By whom of the two who talk a third one is heard, who hears both."""

    LISTEN = "listen"
    """By nobody."""
    WHISPER = "whisper"
    """By one of them."""
    BARGE = "barge"
    """By both."""


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What one leg's packets are encrypted with, as SDES exchanged it (RFC 4568)."""

    suite: str
    """`AES_CM_128_HMAC_SHA1_80` or `AES_CM_128_HMAC_SHA1_32`."""
    receive: bytes = field(repr=False)
    """Master key and salt, 30 bytes, of what the peer sends."""
    send: bytes = field(repr=False)
    """The same of what it is sent."""


@dataclass(frozen=True, slots=True)
class DtlsPeer:
    """A peer that agrees on keys by DTLS (RFC 5764), a browser or a phone."""

    fingerprint: str
    """SHA-256 of its certificate, as in SDP: `AB:CD:…`."""
    active: bool = True
    """Whether it begins the handshake."""
    name: str = ""
    """What its keys are known by in this process: they stay when it moves to another session.
    The ufrag that we gave it, where it is found by ICE."""
    ice: bool = False
    """Whether it is found by ICE."""


@dataclass(frozen=True, slots=True)
class RtpPeer:
    """Where and how one end wants its media, from its SDP."""

    host: str
    """IP address; `0.0.0.0` (RFC 2543 hold) leaves the last known one in force, or where there
    is none lets it be learned, as behind a NAT."""
    port: int
    payloads: tuple[int, ...]
    """Voice payload types in order of preference; the first one is what prompts are sent in."""
    dtmf_payload: int | None = None
    """Payload type of telephone-event (RFC 4733)."""
    ptime_ms: int = 20
    sends: tuple[int, ...] = ()
    """Payload types it was told to send, telephone-event's too, where those are others than it
    takes itself (RFC 3264 §5.1)."""
    sends_dtmf: int | None = None
    """The one of them for telephone-event; None: `dtmf_payload`."""
    rates: tuple[tuple[int, int], ...] = ()
    """(payload type, clock rate in Hz) of what it takes, where that is not 8000."""
    digits_hidden: bool = False
    """Whether its telephone-events are kept from the other side (and only told)."""
    listens: bool = True
    """Whether it may be sent anything (not after `sendonly` or `inactive`)."""
    srtp: SrtpKeys | None = None
    """Keys, where its packets are encrypted; None: they are not."""
    dtls: DtlsPeer | None = None
    """How it agrees on keys, where that is by DTLS."""
    relayed: bool = False
    """Whether it was told the address for encrypted packets though it sends none."""
    signalled: str = ""
    """IP address that its signalling came from."""
    behind_nat: bool = False
    """Whether signalling has shown a NAT before it: its packets may come from any port of
    `signalled`, the first that is heard."""

    @property
    def digits_come_as(self) -> int | None:
        """Payload type of the telephone-events it sends."""
        return self.dtmf_payload if self.sends_dtmf is None else self.sends_dtmf

    @property
    def may_send(self) -> frozenset[int]:
        """All payload types its packets may bear; empty: any."""
        dtmf = () if self.dtmf_payload is None else (self.dtmf_payload,)
        return frozenset((*self.payloads, *self.sends, *dtmf)) if self.payloads else frozenset()


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """How the media engine runs."""

    spool_dir: Path
    """Recordings in progress (pcap)."""
    record_dir: Path
    """Recordings that wait to be encoded (pcap); on the same file system as `spool_dir`."""
    prompts_dir: Path
    """The built-in prompts, expanded to raw payload files."""
    listen_host: str = _ANY
    advertise: str = ""
    """Address written into SDP instead of `listen_host`; needed where that is 0.0.0.0."""
    port_min: int = 20000
    port_max: int = 30000
    remote: str | None = None
    """`udp:HOST:PORT`, `tcp:HOST:PORT` or `unix:PATH` (cunix) of an RTPProxy; None: in here."""
    notify: str = ""
    """`tcp:HOST:PORT` where we listen for what a remote RTPProxy (`-n` the same) tells."""
    webrtc_port: int | None = None
    """UDP port for all browsers; 0 takes a free one of the range, None: they have no sound."""
    no_media_timeout_s: float = 60.0
    max_sessions: int = 2000

    @property
    def inner_host(self) -> str:
        """Where RTPProxy in this process is reached from this machine."""
        return "127.0.0.1" if self.listen_host == _ANY else self.listen_host


@dataclass(frozen=True, slots=True)
class MediaStats:
    """RTP packets received so far."""

    packets_a: int
    packets_b: int


@dataclass(frozen=True, slots=True)
class MediaHealth:
    """What `vpbx doctor` asks the media engine."""

    ok: bool
    problems: tuple[str, ...] = ()
    """What is wrong and how to mend it, a sentence each."""
    sessions: int = 0
    ports: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """What was captured of a call: one pcap file, more after an interruption.

    A file holds both sides; its name, `CALLID-N.PORTA.PORTB.rtp`, says to which port of ours
    each of them sent.
    """

    callid: str
    files: tuple[Path, ...]
    payload_names: dict[int, str] = field(default_factory=dict)
    """Dynamic payload types whose codec is known; others are guessed from their packets."""

    def discard(self) -> None:
        """Delete what was captured."""
        for file in self.files:
            file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class EncodeResult:
    """How encoding went. `seconds` is the length of the recording."""

    ok: bool
    seconds: float = 0.0
    error: str = ""
    no_room: bool = False
    """Whether it failed for want of room on the disk."""

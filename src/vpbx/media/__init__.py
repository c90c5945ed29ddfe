"""Sound: relayed between two sides, played to them, recorded; in C, never packet by packet here.

`MediaEngine` drives RTPProxy, inside this process or on another machine, by its command
protocol. A `MediaSession` is a call's sound: two sides, one local address each for the whole
life of the call. `RecordingWorker` turns what was recorded into a stereo MP3,
`convert_upload` a sound file into what sessions play, each in a process of its own.
`vpbx.media.rtp` holds the endpoints of simulated phones and tests.

Knows nothing of SIP or of companies. IPv4 only, as RTPProxy's pcap recording is.
"""

from .conversion import UnfitFile
from .datagrams import Datagrams
from .ear import Ear
from .emodel import mos
from .engine import MediaEngine
from .fax import (
    FaxHeard,
    FaxLost,
    FaxMachine,
    FaxMachines,
    FaxNews,
    FaxPages,
    FaxParted,
    NoFax,
)
from .listeners import comes_from
from .meter import Part
from .model import (
    DtlsPeer,
    EncodeResult,
    MediaConfig,
    MediaError,
    MediaHealth,
    MediaStats,
    Mode,
    Recording,
    RtpPeer,
    Side,
    SrtpKeys,
)
from .one_stream import CNAME
from .packets import PacketPeer, PacketRelay
from .prompts import prompt_names
from .quality import LegQuality, Stream
from .recording import RecordingWorker
from .rtp import RtpEndpoint
from .session import MediaSession
from .speech import NoVoice, speak
from .third import ThirdParty
from .timeline import holds_voice
from .upload import convert_upload, remove_upload, upload_bytes

__all__ = [
    "CNAME",
    "Datagrams",
    "DtlsPeer",
    "Ear",
    "EncodeResult",
    "FaxHeard",
    "FaxLost",
    "FaxMachine",
    "FaxMachines",
    "FaxNews",
    "FaxPages",
    "FaxParted",
    "LegQuality",
    "MediaConfig",
    "MediaEngine",
    "MediaError",
    "MediaHealth",
    "MediaSession",
    "MediaStats",
    "Mode",
    "NoFax",
    "NoVoice",
    "PacketPeer",
    "PacketRelay",
    "Part",
    "Recording",
    "RecordingWorker",
    "RtpEndpoint",
    "RtpPeer",
    "Side",
    "SrtpKeys",
    "Stream",
    "ThirdParty",
    "UnfitFile",
    "comes_from",
    "convert_upload",
    "holds_voice",
    "mos",
    "prompt_names",
    "remove_upload",
    "speak",
    "upload_bytes",
]

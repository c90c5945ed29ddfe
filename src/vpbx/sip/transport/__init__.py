"""SIP transports (RFC 3261 §18): UDP, TCP, TLS and WebSocket (RFC 7118).

`Transports` is all the layer above needs; `base` says what a transport has to be.
"""

from vpbx.sip.transport.base import Connection, Hop, Limits, Listen, Receiver, network_of
from vpbx.sip.transport.transports import Transports
from vpbx.sip.transport.ws import Message, Receive, Send

__all__ = [
    "Connection",
    "Hop",
    "Limits",
    "Listen",
    "Message",
    "Receive",
    "Receiver",
    "Send",
    "Transports",
    "network_of",
]

"""SIP transports (RFC 3261 §18): UDP, TCP, TLS, and the base that WebSocket fits into.

`Transports` is all the layer above needs; `base` says what a transport has to be.
"""

from .base import Connection, Hop, Limits, Listen, Receiver
from .transports import Transports

__all__ = ["Connection", "Hop", "Limits", "Listen", "Receiver", "Transports"]

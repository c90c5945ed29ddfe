"""SIP transports (RFC 3261 §18): UDP, TCP, TLS, and the base that WebSocket fits into."""

from .base import Hop, Listen

__all__ = ["Hop", "Listen"]

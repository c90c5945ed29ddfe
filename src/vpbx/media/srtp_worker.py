"""Encrypted legs, in a process of its own: `python srtp_worker.py FD`.

SRTP becomes RTP and back, with keys by SDES or by DTLS, and browsers are told apart behind one
port. Packets of such legs are the only ones that Python touches. Each such leg is sent one
stream, whoever speaks (`one_stream`).

A channel has four sockets, which the server opened and sends over (SCM_RIGHTS): the phone's RTP
and RTCP, and two on the loopback through which RTPProxy meets the phone. What comes from the
phone counts only when its authentication tag is right; the last source of such a packet is
where the phone is, so a NAT needs no other proof. Keys come over the same private socket, never
by arguments.

Commands are JSON, one datagram each: `{"open": ID, "rtp": [HOST, PORT], "rtcp": …}` with the
sockets, `{"keys": ID, "suite": …, "rx": HEX, "tx": HEX, "to": [HOST, PORT]}`, `{"dtls": ID,
"name": …, "fingerprint": …, "active": …, "to": …, "behind": HOST}`, `{"plain": ID, "to": …,
"behind": HOST}` for a phone that was offered encryption and answered without, and `{"close":
ID}`. `{"certificate": PEM, "key": PEM}` is ours for DTLS. `rates` and `events` say how what the
leg hears is clocked (`OneStream`).

Browsers (ICE, RFC 8445) all come to one port, whose socket is sent with `{"public": true}`. A
check names the call by our ufrag and proves that it knows our password; then its source is the
call's. `{"browser": ID, "rtp": …, "rtcp": …}` opens the way inside with two sockets, `{"ufrag":
ID, "name": …, "password": …, "ssrc": …}` lets a browser come, and `{"answered": ID, "name":
UFRAG, "fingerprint": …, "active": …}` says which of several it is. A browser (or a phone with
keys by DTLS) that was talked with by one ID and is named with another has moved there: what was
agreed with it stays.

What comes back: `{"failed": TEXT, "call": LABEL}` where no keys were agreed on.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import ModuleType


def _without_package() -> None:
    """Let modules of this folder be loaded without the package around them, 40 MB more."""
    here = Path(__file__).parent
    for name, folder in (("vpbx", here.parent), ("vpbx.media", here)):
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = [str(folder)]


def main() -> None:
    """Serve the control socket whose number is the one argument."""
    _without_package()
    from vpbx.media.srtp_commands import Worker

    control = socket.socket(fileno=int(sys.argv[1]))
    control.setblocking(False)
    Worker(control).run()


if __name__ == "__main__":
    main()

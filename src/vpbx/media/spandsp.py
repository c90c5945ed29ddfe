"""libspandsp by ctypes: T.30 fax machines, over sound (`SoundFax`) and over T.38 (`PacketFax`).

Loaded by the fax process alone (`fax_worker`), and by its path: nothing of the package is needed
here. libspandsp 0.0.6, as Debian 12 and Ubuntu package it (`libspandsp2`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int, c_int16, c_uint8, c_uint16, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["NAME", "Listener", "PacketFax", "SoundFax", "load"]

NAME = "libspandsp.so.2"

OK = 0
_V27TER_V29_V17 = 0x01 | 0x02 | 0x04
_MH_MR_MMR = 0x02 | 0x04 | 0x08
_RESOLUTIONS = 0x01 | 0x02 | 0x04 | 0x10000 | 0x20000 | 0x40000
_SIZES = 0x01 | 0x02 | 0x04 | 0x10000 | 0x20000 | 0x40000 | 0x80000 | 0x100000
_T6 = 3
_LOCAL_TCF, _TRANSFERRED_TCF = 1, 2
_CNG = 1
_STATISTICS = 64
_PAGES_RX = 3

_PHASE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_END = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int)
_PACKET = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(c_uint8), c_int, c_int)
_TONE = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_int, c_int)

_STATE, _SAMPLES = c_void_p, POINTER(c_int16)
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "fax_init": (_STATE, [_STATE, c_int]),
    "fax_free": (c_int, [_STATE]),
    "fax_rx": (c_int, [_STATE, _SAMPLES, c_int]),
    "fax_rx_fillin": (c_int, [_STATE, c_int]),
    "fax_tx": (c_int, [_STATE, _SAMPLES, c_int]),
    "fax_set_transmit_on_idle": (None, [_STATE, c_int]),
    "fax_get_t30_state": (_STATE, [_STATE]),
    "t38_terminal_init": (_STATE, [_STATE, c_int, _PACKET, c_void_p]),
    "t38_terminal_free": (c_int, [_STATE]),
    "t38_terminal_get_t30_state": (_STATE, [_STATE]),
    "t38_terminal_get_t38_core_state": (_STATE, [_STATE]),
    "t38_terminal_send_timeout": (c_int, [_STATE, c_int]),
    "t38_core_rx_ifp_packet": (c_int, [_STATE, c_char_p, c_int, c_uint16]),
    "t38_set_t38_version": (None, [_STATE, c_int]),
    "t38_set_data_rate_management_method": (None, [_STATE, c_int]),
    "t38_set_fastest_image_data_rate": (None, [_STATE, c_int]),
    "t30_set_tx_ident": (c_int, [_STATE, c_char_p]),
    "t30_set_rx_file": (None, [_STATE, c_char_p, c_int]),
    "t30_set_tx_file": (None, [_STATE, c_char_p, c_int, c_int]),
    "t30_set_rx_encoding": (c_int, [_STATE, c_int]),
    "t30_set_ecm_capability": (c_int, [_STATE, c_int]),
    "t30_set_supported_modems": (c_int, [_STATE, c_int]),
    "t30_set_supported_compressions": (c_int, [_STATE, c_int]),
    "t30_set_supported_resolutions": (c_int, [_STATE, c_int]),
    "t30_set_supported_image_sizes": (c_int, [_STATE, c_int]),
    "t30_set_phase_d_handler": (None, [_STATE, _PHASE, c_void_p]),
    "t30_set_phase_e_handler": (None, [_STATE, _END, c_void_p]),
    "t30_get_transfer_statistics": (None, [_STATE, c_void_p]),
    "t30_terminate": (None, [_STATE]),
    "t30_completion_code_to_str": (c_char_p, [c_int]),
    "modem_connect_tones_rx_init": (_STATE, [_STATE, c_int, _TONE, c_void_p]),
    "modem_connect_tones_rx": (c_int, [_STATE, _SAMPLES, c_int]),
    "modem_connect_tones_rx_free": (c_int, [_STATE]),
}
"""What is used of the library: result and arguments of each function."""


@cache
def load() -> Any:
    """Return the library; OSError when it is not installed."""
    lib = ctypes.CDLL(NAME)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class _Terminal:
    """A T.30 machine. It takes pages into `keep`, or `calling` it sends those of `send`.

    `result` is its completion code once it is done (0: well), None before.
    """

    def __init__(
        self,
        t30: int,
        *,
        keep: Path | None,
        send: Path | None,
        ident: str,
        most_pages: int,
        paged: Callable[[int], None],
    ) -> None:
        self._lib = lib = load()
        self._t30 = t30
        self._paged = paged
        self.result: int | None = None
        self.done = False
        self._page_handler, self._end_handler = _PHASE(self._page), _END(self._end)
        lib.t30_set_tx_ident(t30, ident.encode("ascii", "replace")[:20])
        lib.t30_set_supported_modems(t30, _V27TER_V29_V17)
        lib.t30_set_supported_compressions(t30, _MH_MR_MMR)
        lib.t30_set_supported_resolutions(t30, _RESOLUTIONS)
        lib.t30_set_supported_image_sizes(t30, _SIZES)
        lib.t30_set_ecm_capability(t30, 1)
        lib.t30_set_rx_encoding(t30, _T6)
        if keep is not None:
            lib.t30_set_rx_file(t30, bytes(keep), most_pages)
        if send is not None:
            lib.t30_set_tx_file(t30, bytes(send), -1, -1)
        lib.t30_set_phase_d_handler(t30, self._page_handler, None)
        lib.t30_set_phase_e_handler(t30, self._end_handler, None)

    @property
    def pages(self) -> int:
        """How many pages have been received whole."""
        statistics = (c_int * _STATISTICS)()
        self._lib.t30_get_transfer_statistics(self._t30, statistics)
        return int(statistics[_PAGES_RX])

    def _page(self, t30: int, user: int, result: int) -> int:
        self._paged(result)
        return OK

    def _end(self, t30: int, user: int, code: int) -> None:
        if self.result is None:
            self.result = code

    @property
    def reason(self) -> str:
        """Why it ended, in the library's words."""
        text = self._lib.t30_completion_code_to_str(self.result or 0)
        return text.decode("ascii", "replace") if text else ""

    def terminate(self) -> None:
        """The other side has gone: close the file."""
        self._lib.t30_terminate(self._t30)


class SoundFax(_Terminal):
    """A fax machine that speaks in sound: 8 kHz samples in the machine's own byte order."""

    def __init__(self, *, calling: bool = False, **settings: Any) -> None:
        lib = load()
        self._fax = lib.fax_init(None, int(calling))
        lib.fax_set_transmit_on_idle(self._fax, 1)
        super().__init__(lib.fax_get_t30_state(self._fax), **settings)

    def hear(self, samples: ctypes.Array[c_int16]) -> None:
        """Take sound."""
        self._lib.fax_rx(self._fax, samples, len(samples))

    def miss(self, count: int) -> None:
        """Take note that so many samples were lost."""
        self._lib.fax_rx_fillin(self._fax, count)

    def say(self, count: int) -> bytes:
        """Return the next `count` samples."""
        samples = (c_int16 * count)()
        self._lib.fax_tx(self._fax, samples, count)
        return bytes(samples)


class PacketFax(_Terminal):
    """A fax machine that speaks T.38: IFP packets, handed to `send_packet(ifp, times)`."""

    def __init__(
        self,
        send_packet: Callable[[bytes, int], None],
        *,
        calling: bool = False,
        version: int = 0,
        rate: int = 14400,
        local_tcf: bool = False,
        **settings: Any,
    ) -> None:
        lib = load()

        def packet(core: int, user: int, data: Any, length: int, times: int) -> int:
            send_packet(bytes(data[:length]), max(1, times))
            return OK

        self._packet_handler = _PACKET(packet)
        self._terminal = lib.t38_terminal_init(None, int(calling), self._packet_handler, None)
        self._core = core = lib.t38_terminal_get_t38_core_state(self._terminal)
        lib.t38_set_t38_version(core, version)
        lib.t38_set_fastest_image_data_rate(core, rate)
        method = _LOCAL_TCF if local_tcf else _TRANSFERRED_TCF
        lib.t38_set_data_rate_management_method(core, method)
        super().__init__(lib.t38_terminal_get_t30_state(self._terminal), **settings)

    def hear(self, ifp: bytes, number: int) -> None:
        """Take a packet."""
        self._lib.t38_core_rx_ifp_packet(self._core, ifp, len(ifp), number)

    def pass_time(self, samples: int) -> None:
        """Let time go on by so many 1/8000 s; packets are sent meanwhile."""
        self._lib.t38_terminal_send_timeout(self._terminal, samples)


class Listener:
    """Hears whether a calling fax machine says so (CNG, T.30 §4.3.3)."""

    def __init__(self) -> None:
        self._lib = lib = load()
        self.heard = False
        self._handler = _TONE(self._tone)
        self._state = lib.modem_connect_tones_rx_init(None, _CNG, self._handler, None)

    def _tone(self, user: int, tone: int, level: int, delay: int) -> None:
        self.heard = self.heard or tone == _CNG

    def hear(self, samples: ctypes.Array[c_int16]) -> None:
        """Take sound."""
        self._lib.modem_connect_tones_rx(self._state, samples, len(samples))

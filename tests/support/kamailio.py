"""Kamailio as another operator: registrar with passwords, proxy that stays in the path."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

__all__ = ["PASSWORD", "Kamailio"]

PASSWORD = "kam pass"
_CONFIG = """#!KAMAILIO
debug=1
log_stderror=yes
children=2
tcp_children=2
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
auto_aliases=no
alias="{domain}"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
modparam("registrar", "min_expires", 60)
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    if (loose_route()) {{ t_relay(); exit; }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    sl_send_reply("404", "Not here");
    exit;
  }}
  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("$td", "{password}", "0")) {{ www_challenge("$td", "1"); exit; }}
    if (!save("location")) sl_reply_error();
    exit;
  }}
  if (is_method("INVITE")) {{
    record_route();
    if (src_port == {peer}) {{
      if (!lookup("location")) {{ sl_send_reply("404", "Nobody"); exit; }}
      t_relay();
      exit;
    }}
    if (!pv_proxy_authenticate("{domain}", "{password}", "0")) {{
      proxy_challenge("{domain}", "1");
      exit;
    }}
    consume_credentials();
    $du = "sip:127.0.0.1:{peer}";
    t_relay();
    exit;
  }}
  sl_send_reply("405", "Method Not Allowed");
}}
"""


class Kamailio:
    """`async with` it. `peer` is the port of who calls and is called through it."""

    def __init__(self, folder: Path, domain: str, port: int, peer: int) -> None:
        self.domain, self.port, self.peer = domain, port, peer
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @staticmethod
    def installed() -> bool:
        return shutil.which("kamailio") is not None

    async def __aenter__(self) -> Kamailio:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "kamailio.cfg"
        config.write_text(
            _CONFIG.format(domain=self.domain, port=self.port, peer=self.peer, password=PASSWORD)
        )
        modules = next(Path("/usr/lib").glob("*/kamailio/modules"))
        with (self._folder / "kamailio.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                "kamailio",
                *("-DD", "-E", "-f", str(config), "-Y", str(self._folder)),
                *("-L", str(modules), "-P", str(self._folder / "pid"), "-m", "32", "-M", "4"),
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(30):
            while not await self._answers():
                assert self._process.returncode is None, self.log()
                await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 30)

    def log(self) -> str:
        return (self._folder / "kamailio.log").read_text(errors="replace")

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

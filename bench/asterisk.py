"""Asterisk 22 from Debian sid, in a root of its own, as the switch to compare with."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"

PJSIP = """\
[transport-udp]
type=transport
protocol=udp
bind=127.0.0.1:{port}

[global]
type=global
user_agent=asterisk

[carrier]
type=endpoint
context=bench
disallow=all
allow=alaw
direct_media=no
[carrier]
type=identify
endpoint=carrier
match=127.0.0.1

[phones]
type=endpoint
context=bench
disallow=all
allow=alaw
direct_media=no
aors=phones
[phones]
type=aor
contact=sip:phone@127.0.0.1:{phones_port}
"""

FILES = {
    "asterisk.conf": """\
[directories]
astetcdir => /etc/asterisk-bench
astmoddir => /usr/lib/x86_64-linux-gnu/asterisk/modules
astvarlibdir => /var/lib/asterisk
astdatadir => /usr/share/asterisk
astdbdir => /var/lib/asterisk
astspooldir => /var/spool/asterisk
astrundir => /run/asterisk-bench
astlogdir => /var/log/asterisk
""",
    "modules.conf": "[modules]\nautoload=yes\nnoload=chan_websocket.so\n",
    "logger.conf": "[general]\n[logfiles]\nbench.log => error\n",
    "cdr.conf": "[general]\nenable=yes\nunanswered=yes\n",
    "cdr_sqlite3_custom.conf": """\
[cdr]
table = cdr
columns = start, answer, ended, clid, src, dst, disposition, billsec, uniqueid
fields = start, answer, end, clid, src, dst, disposition, billsec, uniqueid
""",
    "rtp.conf": "[general]\nrtpstart=34000\nrtpend=39998\n",
}


BARE = "0"
"""Before a number: it is only dialled, and nobody is told."""
DIALPLAN = """\
[bench]
exten => _0X.,1,Set(CDR_PROP(disable)=1)
 same => n,{record}
 same => n,Dial(PJSIP/phones)
 same => n,Hangup()
exten => _7X.,1,Set(WHO=${{CURL({url},cmd=contact&{fields})}})
 same => n,Set(CHANNEL(hangup_handler_push)=told,s,1({call}))
 same => n,Set(TAKEN=${{CURL({url},cmd=event&type=INCOMING&user=e${{EXTEN}}&{fields})}})
 same => n,{record}
 same => n,Dial(PJSIP/phones,,U(answered^{call_after}))
 same => n,Hangup()

[answered]
exten => s,1,Set(TAKEN=${{CURL({url},cmd=event&type=ACCEPTED&user=e${{ARG2}}&{arguments})}})
 same => n,Return()

[told]
exten => s,1,Set(TAKEN=${{CURL({url},cmd=event&type=COMPLETED&user=e${{ARG2}}&{arguments})}})
 same => n,Set(TAKEN=${{CURL({url},cmd=history&type=in&user=e${{ARG2}}&status=Success&\
start=${{STRFTIME(${{EPOCH}},UTC,%Y%m%dT%H%M%SZ)}}&duration=${{CDR(billsec)}}&{arguments})}})
 same => n,Return()
"""
"""What vpbx does for a call, in the peer's own words: the CRM is asked who calls and told four
things; the call is a row in SQLite."""
_FIELDS = "phone={phone}&diversion={number}&callid={callid}&crm_token=bench-token"


def dialplan(crm_url: str, *, record: bool) -> str:
    """Return the dialplan: `BARE` numbers are only dialled; of others a CRM is told."""
    phone, number, callid = "${CALLERID(num)}", "${EXTEN}", "${UNIQUEID}"
    return DIALPLAN.format(
        url=crm_url or "http://127.0.0.1:9/",
        record="MixMonitor(${UNIQUEID}.wav)" if record else "NoOp()",
        fields=_FIELDS.format(phone=phone, number=number, callid=callid),
        call=f"{phone},{number},{callid}",
        call_after=f"{phone}^{number}^{callid}",
        arguments=_FIELDS.format(phone="${ARG1}", number="${ARG2}", callid="${ARG3}"),
    )


class NoAsterisk(Exception):
    """Asterisk cannot be had here; the text says why."""


def prepare(root: Path) -> None:
    """Bootstrap Debian sid with Asterisk into `root`, once."""
    if (root / "usr/sbin/asterisk").exists():
        return
    if os.geteuid() != 0:
        raise NoAsterisk("PEER=asterisk needs root (debootstrap and chroot)")
    if shutil.which("debootstrap") is None:
        subprocess.run(["apt-get", "install", "-y", "-qq", "debootstrap"], check=True)
    print(f"bench: installing Asterisk from Debian sid into {root} (a minute or two)", flush=True)
    shutil.rmtree(root, ignore_errors=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "asterisk"]
    with (root.parent / "asterisk-install.log").open("w") as log:
        for command in (
            ["debootstrap", "--variant=minbase", "sid", str(root), MIRROR],
            ["sh", "-c", f"printf 'exit 101\\n' >{root}/usr/sbin/policy-rc.d"],
            ["chmod", "+x", f"{root}/usr/sbin/policy-rc.d"],
            ["chroot", str(root), "apt-get", "-o", "Acquire::Check-Valid-Until=false", "update"],
            ["chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", *install],
        ):
            done = subprocess.run(command, stdout=log, stderr=log, check=False)
            if done.returncode != 0:
                raise NoAsterisk(f"{' '.join(command)} failed; see {log.name}")


class Asterisk:
    """A running Asterisk that dials the phones for every call it gets; see `dialplan`."""

    def __init__(
        self, root: Path, *, port: int, phones_port: int, crm_url: str = "", record: bool = False
    ) -> None:
        prepare(root)
        config = root / "etc/asterisk-bench"
        config.mkdir(exist_ok=True)
        (root / "run/asterisk-bench").mkdir(parents=True, exist_ok=True)
        # Asterisk asks for these names as it sets a call up; without an answer here each waits.
        names = f"localhost {socket.gethostname()} a.root-servers.net"
        (root / "etc/hosts").write_text(f"127.0.0.1 {names}\n")
        (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        for name, text in FILES.items():
            (config / name).write_text(text)
        (config / "extensions.conf").write_text(dialplan(crm_url, record=record))
        (config / "pjsip.conf").write_text(PJSIP.format(port=port, phones_port=phones_port))
        self.root, self.port = root, port
        command = ["chroot", str(root), "asterisk", "-f", "-C", "/etc/asterisk-bench/asterisk.conf"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.version = self._wait()

    @property
    def pid(self) -> int:
        """The process that switches."""
        return self._process.pid

    def _wait(self) -> str:
        ask = ["chroot", str(self.root), "asterisk", "-C", "/etc/asterisk-bench/asterisk.conf"]
        for _ in range(100):
            if "fully booted" in self._ask(ask, "core waitfullybooted"):
                return self._ask(ask, "core show version").split(" built")[0].strip()
            if self._process.poll() is not None:
                raise NoAsterisk("Asterisk ended at start; see var/log/asterisk in its root")
            time.sleep(0.3)
        self.close()
        raise NoAsterisk("Asterisk did not come up in 30 s")

    @staticmethod
    def _ask(console: list[str], command: str) -> str:
        done = subprocess.run(
            [*console, "-rx", command], capture_output=True, text=True, check=False
        )
        return done.stdout

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))

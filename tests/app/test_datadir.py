"""The data directory: one server, private files, secrets that stay."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import rtp_ports
from vpbx.app import DataDir, StartError
from vpbx.app.datadir import write_private


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    directory = DataDir(tmp_path / "data")
    directory.prepare()
    return directory


def test_secret_is_private_stays_the_same_and_differs_by_purpose(data: DataDir) -> None:
    assert data.secret("nonces") == DataDir(data.root).secret("nonces")
    assert data.secret("nonces") != data.secret("links")
    mode = (data.root / "server.secret").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_each_data_directory_has_its_own_secret(data: DataDir, tmp_path: Path) -> None:
    other = DataDir(tmp_path / "other")
    other.prepare()
    assert other.secret("nonces") != data.secret("nonces")


def test_second_server_is_refused_and_told_who_runs(data: DataDir) -> None:
    lock = data.lock()
    with pytest.raises(StartError, match=rf"process {os.getpid()}.*--data"):
        data.lock()
    lock.release()
    data.lock().release()


def test_running_server_can_be_asked_where_it_listens(data: DataDir) -> None:
    assert data.running() == {}
    lock = data.lock()
    lock.tell({"pid": 1, "http": "127.0.0.1:8080"})
    assert data.running()["http"] == "127.0.0.1:8080"
    lock.release()
    assert data.running() == {}


def test_directory_in_the_way_of_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"cannot be used.*--data"):
        DataDir(tmp_path / "file").prepare()


def test_database_of_the_server_is_known_to_commands_without_the_option(data: DataDir) -> None:
    assert data.database_url("") == ""
    data.remember_database("postgresql://u:p@h/d")
    assert data.database_url("") == "postgresql://u:p@h/d"
    assert data.database_url("postgresql://other/x") == "postgresql://other/x"
    assert stat.S_IMODE((data.root / "database.url").stat().st_mode) == 0o600


def test_private_file_is_written_whole_or_kept(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_private(path, b"one")
    write_private(path, b"two", replace=False)
    assert path.read_bytes() == b"one"
    write_private(path, b"three")
    assert path.read_bytes() == b"three"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_what_others_may_read_is_closed_whoever_made_it(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "tls").mkdir()
    (root / "tls" / "key.pem").write_text("secret")
    (root / "vpbx.sqlite3").write_text("")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("")
    (root / "link").symlink_to(elsewhere)
    for path in (root, root / "tls"):
        path.chmod(0o777)
    for path in (root / "tls" / "key.pem", root / "vpbx.sqlite3", elsewhere):
        path.chmod(0o666)
    DataDir(root).prepare()
    modes = {path: path.lstat().st_mode & 0o777 for path in root.rglob("*") if path.name != "link"}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert root.stat().st_mode & 0o777 == 0o700
    assert elsewhere.stat().st_mode & 0o777 == 0o666  # what a link leads to is not ours


def test_whole_data_directory_is_private_under_any_umask(tmp_path: Path) -> None:
    vpbx = Path(sys.executable).parent / "vpbx"
    data = tmp_path / "data"
    subprocess.run(
        [vpbx, "domain", "add", "acme.example", "--password", "Secret-pass-1", "--data", data],
        check=True,
        capture_output=True,
        umask=0,
    )
    server = subprocess.Popen(
        [
            *(vpbx, "serve", "--data", data, "--http", "127.0.0.1:0", "--https", "127.0.0.1:0"),
            *("--sip", "127.0.0.1:0", "--sip-tls", "127.0.0.1:0", "--rtp-ports", rtp_ports()),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        umask=0,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith(b"ready")
        paths = [data, *data.rglob("*")]
        open_ones = [str(path) for path in paths if path.lstat().st_mode & 0o077]
        assert len(paths) > 10
        assert open_ones == []
    finally:
        server.kill()
        server.wait()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("command", ["serve", "domain"])
def test_full_disk_at_the_start_is_a_sentence(tmp_path: Path, command: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        words = ["serve"] if command == "serve" else ["domain", "add", "acme.example"]
        done = subprocess.run(
            [Path(sys.executable).parent / "vpbx", *words, "--data", disk / "data"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "full" in done.stderr

"""The data directory: one server, private files, secrets that stay."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

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

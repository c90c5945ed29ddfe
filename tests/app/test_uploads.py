"""Uploads: files in the data directory and records in the directory, both or neither."""

from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.audio import CODECS, write_sound, write_tone
from vpbx.app import DataDir
from vpbx.app.database import open_database
from vpbx.app.uploads import Uploads
from vpbx.directory import Directory, DomainConfig, Invalid, NotFound, Secrets
from vpbx.directory import media as catalog
from vpbx.media import MediaError


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.prepare()
    return made


@pytest.fixture
async def directory(data: DataDir) -> AsyncIterator[Directory]:
    database = await open_database(data, "")
    yield Directory(database, secrets=Secrets.from_file(data.secrets_key))
    await database.close()


@pytest.fixture
async def acme(directory: Directory) -> DomainConfig:
    return (await directory.companies.add("acme.example", password="password1")).domain


@pytest.fixture
def uploads(directory: Directory, data: DataDir) -> Uploads:
    return Uploads(directory, data)


def files(data: DataDir) -> list[str]:
    return sorted(str(f.relative_to(data.media)) for f in data.media.rglob("*") if f.is_file())


async def listed(directory: Directory, company: DomainConfig) -> list[str]:
    return sorted((await directory.current(company)).settings.media)


@pytest.mark.parametrize("ending", CODECS)
async def test_every_format_is_taken(
    uploads: Uploads,
    directory: Directory,
    data: DataDir,
    acme: DomainConfig,
    tmp_path: Path,
    ending: str,
) -> None:
    made = await uploads.add(acme, write_tone(tmp_path / f"hello.{ending}"), "greeting")
    assert (made.name, made.type, made.path) == (
        f"hello.{ending}",
        "greeting",
        f"{acme.id}/{made.id}",
    )
    assert made.duration_s == pytest.approx(2.0, abs=0.1)
    assert files(data) == sorted(f"{made.path}.{payload}" for payload in (8, 0, 9))
    assert made.size_bytes == sum((data.media / name).stat().st_size for name in files(data))
    assert await directory.media.list(acme, "greeting") == (made,)
    assert await uploads.remove(acme, made.id) == made
    assert (files(data), await listed(directory, acme)) == ([], [])


async def test_what_used_a_removed_file_falls_back(
    uploads: Uploads, directory: Directory, acme: DomainConfig, tmp_path: Path
) -> None:
    made = await uploads.add(acme, write_tone(tmp_path / "a.wav"), "music", "Song")
    await directory.music.set(acme, "holdmusic", made.id)
    assert (await directory.music.get(acme))["holdmusic"].name == "Song"
    await uploads.remove(acme, made.id)
    assert (await directory.music.get(acme))["holdmusic"].file == "holdmusic"


async def test_what_does_not_fit_is_refused_by_name_and_leaves_nothing(
    uploads: Uploads, directory: Directory, data: DataDir, acme: DomainConfig, tmp_path: Path
) -> None:
    notes, good = tmp_path / "notes.mp3", write_tone(tmp_path / "good.wav")
    notes.write_text("not a sound\n" * 100)
    huge = tmp_path / "huge.wav"
    with huge.open("wb") as file:
        file.truncate(50_000_001)
    long = write_sound(tmp_path / "long.flac", array("h", [0, 900]) * 24000 * 301)
    for source, kind, name, field, says in (
        (notes, "music", "", "file", "notes.mp3 is not audio that can be read"),
        (huge, "music", "", "file", "huge.wav is larger than 50 MB"),
        (long, "greeting", "", "file", "long.flac is longer than 5 minutes"),
        (long, "ivr", "", "file", "long.flac is longer than 5 minutes"),
        (tmp_path / "none.wav", "music", "", "file", "none.wav cannot be read: No such file"),
        (tmp_path, "music", "", "file", "is not a file"),
        (good, "films", "", "type", "must be one of: greeting, music, ivr, prompt"),
        (good, "music", "a\nb", "name", "must not contain control characters"),
        (good, "music", "x" * 256, "name", "must be at most 255"),
    ):
        with pytest.raises(Invalid) as caught:
            await uploads.add(acme, source, kind, name)
        (error,) = caught.value.errors
        assert (error.field, says in error.message) == (field, True), error
    assert (files(data), await listed(directory, acme)) == ([], [])
    assert (await uploads.add(acme, long, "music")).duration_s == pytest.approx(301)


async def test_a_full_catalogue_is_said_before_and_at_the_end(
    uploads: Uploads,
    directory: Directory,
    data: DataDir,
    acme: DomainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalog, "MAX_FILES", 2)
    source = write_tone(tmp_path / "a.wav")
    done = await asyncio.gather(
        *(uploads.add(acme, source, "music") for _ in range(4)), return_exceptions=True
    )
    refused = [error for error in done if isinstance(error, Invalid)]
    assert [error.errors[0].field for error in refused] == ["limits", "limits"]
    assert (len(files(data)), len(await listed(directory, acme))) == (6, 2)
    with pytest.raises(Invalid):
        await uploads.add(acme, tmp_path / "none.wav", "music")


async def test_a_cancelled_upload_leaves_nothing(
    uploads: Uploads, directory: Directory, data: DataDir, acme: DomainConfig, tmp_path: Path
) -> None:
    source = write_sound(tmp_path / "long.flac", array("h", [0, 900]) * 24000 * 250)
    for after_s in (0.05, 0.4, 0.8):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(uploads.add(acme, source, "greeting"), after_s)
        assert (files(data), await listed(directory, acme)) == ([], [])


async def test_a_disk_that_does_not_take_it_is_no_fault_of_the_file(
    uploads: Uploads, directory: Directory, data: DataDir, acme: DomainConfig, tmp_path: Path
) -> None:
    (data.media / str(acme.id)).write_text("a file where the folder should be")
    with pytest.raises(MediaError):
        await uploads.add(acme, write_tone(tmp_path / "a.wav"), "music")
    assert await listed(directory, acme) == []


async def test_files_of_no_record_go_with_a_later_upload(
    uploads: Uploads, data: DataDir, acme: DomainConfig, tmp_path: Path
) -> None:
    source = write_tone(tmp_path / "a.wav")
    kept = await uploads.add(acme, source, "music")
    folder = data.media / str(acme.id)
    for name in ("dead.8", ".dead.9.part", f"{kept.id}.8", "fresh.8"):
        (folder / name).touch()
        if name != "fresh.8":
            os.utime(folder / name, (1, 1))
    added = await uploads.add(acme, source, "music")
    left = {name.split("/")[1] for name in files(data)}
    assert left == {f"{i}.{p}" for i in (kept.id, added.id) for p in (8, 0, 9)} | {"fresh.8"}


async def test_a_company_does_not_reach_the_files_of_another(
    uploads: Uploads, directory: Directory, data: DataDir, acme: DomainConfig, tmp_path: Path
) -> None:
    other = (await directory.companies.add("other.example", password="password2")).domain
    mine = await uploads.add(acme, write_tone(tmp_path / "a.wav"), "music")
    with pytest.raises(NotFound):
        await uploads.remove(other, mine.id)
    with pytest.raises(Invalid):
        await directory.music.set(other, "holdmusic", mine.id)
    assert await listed(directory, other) == []
    assert len(files(data)) == 3


async def test_a_prompt_of_the_company_takes_the_place_of_the_built_in_one(
    uploads: Uploads, directory: Directory, data: DataDir, acme: DomainConfig, tmp_path: Path
) -> None:
    source = write_tone(tmp_path / "queue-position.wav")
    first = await uploads.add(acme, source, "prompt")
    assert first.name == "queue-position"
    second = await uploads.add(acme, write_tone(tmp_path / "b.wav"), "prompt", "queue-position")
    now = await directory.current(acme)
    assert now.settings.prompts == {"queue-position": second}
    assert await listed(directory, acme) == [second.id]
    assert {name.partition(".")[0] for name in files(data)} == {second.path}
    await uploads.remove(acme, second.id)
    assert (await directory.current(acme)).settings.prompts == {}


@pytest.mark.parametrize("name", ["queue_position", "holdmusic", "../en/beep"])
async def test_a_prompt_that_is_not_built_in_is_refused_with_those_like_it(
    uploads: Uploads, data: DataDir, acme: DomainConfig, tmp_path: Path, name: str
) -> None:
    with pytest.raises(Invalid, match="no built-in prompt") as caught:
        await uploads.add(acme, write_tone(tmp_path / "a.wav"), "prompt", name)
    assert caught.value.errors[0].field == "name"
    assert name != "queue_position" or "queue-position" in caught.value.errors[0].message
    assert files(data) == []


async def test_a_text_is_said_changed_and_said_anew_where_it_was(
    uploads: Uploads, directory: Directory, data: DataDir, acme: DomainConfig
) -> None:
    said = await uploads.say(acme, "  Вы позвонили\n\nв «Ромашку». ", "ru", "greeting")
    assert (said.name, said.text) == ("Вы позвонили в «Ромашку».",) * 2
    assert said.language == "ru"
    assert files(data) == sorted(f"{said.path}.{payload}" for payload in (8, 0, 9))
    await directory.telnums.add(acme, "74951234567")
    route = {"type": "user", "user": "admin", "greeting": True, "greeting_file": said.id}
    await directory.telnums.edit(acme, "74951234567", route)
    longer = await uploads.say_anew(acme, said.id, "You have reached Camomile. Good day!", "en")
    assert (longer.id, longer.name, longer.type) == (said.id, said.name, "greeting")
    assert (longer.text, longer.language) == ("You have reached Camomile. Good day!", "en")
    assert longer.path != said.path
    assert files(data) == sorted(f"{longer.path}.{payload}" for payload in (8, 0, 9))
    assert longer.duration_s != said.duration_s
    current = await directory.current(acme)
    assert current.settings.media == {said.id: longer}
    assert said.id in str(current.numbers["74951234567"])
    # what lies there under another name than its id is no waste
    for file in data.media.rglob("*.8"):
        os.utime(file, (0, 0))
    second = await uploads.say(acme, "One", "en", "ivr", "Menu")
    assert sorted(await listed(directory, acme)) == sorted([said.id, second.id])
    assert len(files(data)) == 6


async def test_a_text_replaces_a_prompt_and_is_heard_before(
    uploads: Uploads, directory: Directory, data: DataDir, acme: DomainConfig
) -> None:
    sound = await uploads.spoken(acme, "Call us later, please.", "en")
    assert len(sound) > 8000, "a second of A-law"
    assert files(data) == []
    first = await uploads.say(acme, "Call us later, please.", "en", "prompt", "call-later")
    second = await uploads.say(acme, "Позвоните позже.", "ru", "prompt", "call-later")
    assert (await directory.current(acme)).settings.prompts == {"call-later": second}
    assert files(data) == sorted(f"{second.path}.{payload}" for payload in (8, 0, 9))
    assert first.duration_s == pytest.approx(len(sound) / 8000, abs=0.05)


@pytest.mark.parametrize(
    ("text", "language", "kind", "name", "field", "message"),
    [
        ("", "en", "greeting", "", "text", "must not be empty"),
        ("x" * 1001, "en", "greeting", "", "text", "at most 1000 characters"),
        ("one\x1b[2J", "en", "greeting", "", "text", "control characters"),
        ("...", "en", "greeting", "", "text", "nothing that can be said"),
        ("one", "de", "greeting", "", "language", "en, ru"),
        ("one", "en", "song", "", "type", "greeting"),
        ("one", "en", "prompt", "", "name", "must not be empty"),
        ("one", "en", "prompt", "call-late", "name", "call-later"),
        ("9 " * 500, "ru", "greeting", "x" * 256, "name", "at most 255"),
    ],
)
async def test_a_text_that_cannot_be_kept_leaves_nothing(
    uploads: Uploads,
    directory: Directory,
    data: DataDir,
    acme: DomainConfig,
    text: str,
    language: str,
    kind: str,
    name: str,
    field: str,
    message: str,
) -> None:
    with pytest.raises(Invalid, match=message) as told:
        await uploads.say(acme, text, language, kind, name)
    assert told.value.errors[0].field == field
    assert (files(data), await listed(directory, acme)) == ([], [])


async def test_a_company_has_one_text_said_at_a_time(uploads: Uploads, acme: DomainConfig) -> None:
    both = (uploads.spoken(acme, text, "en") for text in ("one", "two"))
    first, second = await asyncio.gather(*both, return_exceptions=True)
    assert isinstance(first, bytes)
    assert isinstance(second, Invalid)
    assert "try again" in str(second)
    assert await uploads.spoken(acme, "three", "en")


async def test_a_file_or_another_company_s_text_is_not_said_anew(
    uploads: Uploads, directory: Directory, acme: DomainConfig, data: DataDir, tmp_path: Path
) -> None:
    uploaded = await uploads.add(acme, write_tone(tmp_path / "a.wav"), "greeting")
    other = (await directory.companies.add("globex.example")).domain
    theirs = await uploads.say(other, "one", "en", "greeting")
    before = files(data)
    for file_id in (uploaded.id, theirs.id, "x"):
        with pytest.raises(NotFound):
            await uploads.say_anew(acme, file_id, "two", "en")
    assert files(data) == before
    assert (await directory.media.get(other, theirs.id)).text == "one"

"""The recipes of docs/bridge.md, on each kind of database, in schemas as those programs have."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from tests.bridge.conftest import Bridge, write
from tests.bridge.test_bridge import CALL
from vpbx.bridge import BridgeFault, load_sheet, read, read_sheet

PAGE = (Path(__file__).parents[2] / "docs" / "bridge.md").read_text()
RECIPES = dict(re.findall(r"^```toml\n# (\w+)\n(.*?)^```$", PAGE, re.M | re.S))
BINARY = {"sqlite": "BLOB", "postgresql": "BYTEA", "mysql": "VARBINARY(16)"}
ONE, OTHER = "'0000000000000001'", "'0000000000000002'"
SUITECRM = (
    "CREATE TABLE users (id CHAR(36) PRIMARY KEY, user_name VARCHAR(60), deleted SMALLINT)",
    "CREATE TABLE contacts (id CHAR(36) PRIMARY KEY, date_modified TIMESTAMP NULL, deleted "
    "SMALLINT, first_name VARCHAR(100), last_name VARCHAR(100), phone_mobile VARCHAR(100), "
    "phone_work VARCHAR(100), assigned_user_id CHAR(36))",
    "CREATE TABLE calls (id CHAR(36) PRIMARY KEY, name VARCHAR(50), date_entered TIMESTAMP NULL, "
    "date_modified TIMESTAMP NULL, created_by CHAR(36), assigned_user_id CHAR(36), deleted "
    "SMALLINT, duration_hours INTEGER, duration_minutes INTEGER, date_start TIMESTAMP NULL, "
    "date_end TIMESTAMP NULL, status VARCHAR(100), direction VARCHAR(100), parent_type "
    "VARCHAR(255), parent_id CHAR(36))",
    "INSERT INTO users VALUES ('u-olga', 'olga', 0), ('u-gone', 'olga2', 1)",
    "INSERT INTO contacts VALUES "
    "('c-old', '2020-01-01 00:00:00', 1, 'Old', 'Anna', '+7 (910) 123-45-67', '', 'u-gone'), "
    "('c-anna', '2026-01-01 00:00:00', 0, 'Anna', 'Petrova', '+7 (910) 123-45-67', NULL, 'u-olga'),"
    "('c-none', '2026-01-02 00:00:00', 0, 'No', 'Number', '', '', 'u-olga')",
)


def kind_of(bridge: Bridge) -> str:
    return bridge.url.partition("+")[0]


async def started(bridge: Bridge, recipe: str, database: str = "") -> None:
    write(bridge, RECIPES[recipe])
    text = bridge.file.read_text().replace("[database]\n", f"[database]\n{database}")
    bridge.file.write_text(text)
    await bridge.start()


async def test_suitecrm_shows_the_call_at_its_contact(bridge: Bridge) -> None:
    await bridge.sql(*SUITECRM)
    await started(bridge, "suitecrm")
    assert await bridge.tell("contact", phone="79101234567", callid="1") == (
        200,
        {"contact_name": "Anna Petrova", "responsible": "olga"},
    )
    for unknown in ("79990000000", "", "anonymous"):
        assert await bridge.tell("contact", phone=unknown, callid="1") == (200, {})
    call = {**CALL, "duration": "3725"}
    missed = {**CALL, "callid": "2", "status": "Missed", "duration": "0", "user": "nobody"}
    for command in (call, missed, call):
        assert await bridge.tell("history", **command) == (200, {})
    await bridge.stop()
    held, other = await bridge.sql("SELECT * FROM calls ORDER BY status")
    assert (held["status"], held["direction"]) == ("Held", "Inbound")
    assert (held["assigned_user_id"].strip(), held["parent_id"].strip()) == ("u-olga", "c-anna")
    assert (held["duration_hours"], held["duration_minutes"]) == (1, 2)
    assert str(held["date_start"])[:19] == "2026-01-20 08:58:42"
    assert str(held["date_end"])[:19] == "2026-01-20 10:00:52"
    assert (other["status"], other["assigned_user_id"]) == ("Not Held", None)


async def test_1c_is_read_and_calls_lie_beside_it_in_local_time(bridge: Bridge) -> None:
    key = BINARY[kind_of(bridge)]
    await bridge.sql(
        f"CREATE TABLE _reference39 (_idrref {key}, _description VARCHAR(100), _fld1007rref {key})",
        f"CREATE TABLE _reference39_vt1010 (_reference39_idrref {key}, _fld1016 VARCHAR(20))",
        f"CREATE TABLE _reference60 (_idrref {key}, _description VARCHAR(50))",
        "CREATE TABLE ats_calls (callid VARCHAR(20) PRIMARY KEY, started TIMESTAMP NULL, direction "
        "VARCHAR(10), number VARCHAR(20), employee VARCHAR(50), seconds INTEGER, result "
        "VARCHAR(20), record VARCHAR(500))",
        f"INSERT INTO _reference39 VALUES ({ONE}, 'ООО Ромашка', {OTHER})",
        f"INSERT INTO _reference39_vt1010 VALUES ({ONE}, '4951112233'), ({ONE}, '9101234567')",
        f"INSERT INTO _reference60 VALUES ({OTHER}, 'olga')",
    )
    await started(bridge, "1c", 'timezone = "Europe/Moscow"\n')
    known = {"contact_name": "ООО Ромашка", "responsible": "olga"}
    assert await bridge.tell("contact", phone="79101234567", callid="1") == (200, known)
    assert await bridge.tell("contact", phone="79101234568", callid="1") == (200, {})
    assert await bridge.tell("history", **CALL) == (200, {})
    await bridge.stop()
    [row] = await bridge.sql("SELECT * FROM ats_calls")
    assert (row["callid"], row["employee"], row["seconds"]) == (CALL["callid"], "olga", 42)
    assert datetime.fromisoformat(str(row["started"])[:19]) == datetime(2026, 1, 20, 11, 58, 42)


def save(path: Path, text: str) -> None:
    """Write the sheet as a spreadsheet program does: another file in its place."""
    new = path.with_suffix(".new")
    new.write_text(text, "cp1251")
    new.replace(path)


async def test_spreadsheet_says_who_calls_and_calls_have_its_names(bridge: Bridge) -> None:
    sheet = bridge.file.parent / "customers.csv"
    save(
        sheet,
        "Клиент;Телефон;Менеджер;Заметка\r\n"
        'Анна Петрова;"+7 (910) 123-45-67, 8 495 111-22-33";olga;\r\n'
        "Без номера;;;\r\n"
        "Другой;79101234567;ivan;первая строка главнее\r\n",
    )
    write(bridge, RECIPES["spreadsheet"])
    await bridge.start()
    assert bridge.config.sheet is not None
    assert await load_sheet(bridge.config.sheet, bridge.store) == 2
    known = {"contact_name": "Анна Петрова", "responsible": "olga"}
    for phone in ("79101234567", "74951112233"):
        assert await bridge.tell("contact", phone=phone, callid="1") == (200, known)
    assert await bridge.tell("history", **CALL) == (200, {})
    assert await bridge.tell("rating", callid=CALL["callid"], rating="4", user="olga") == (200, {})
    save(sheet, "Телефон,Клиент\nчто угодно,Никто\n79990000000,Иван\n")
    assert await load_sheet(bridge.config.sheet, bridge.store) == 1
    assert await bridge.tell("contact", phone="74951112233", callid="1") == (200, {})
    [row] = await bridge.sql("SELECT callid, customer, rating FROM vpbx_calls_with_names")
    assert row == {"callid": CALL["callid"], "customer": None, "rating": 4}
    await bridge.stop()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Имя,Телефон\n", "has no column 'клиент' in its first line; it has имя, телефон"),
        ("", "it has nothing"),
    ],
)
def test_fault_in_the_sheet_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(
        f"[database]\nurl = 'sqlite:///x'\n[receiver]\ntoken = 't'\n{RECIPES['spreadsheet']}"
    )
    config = read(file)
    assert config.sheet is not None
    with pytest.raises(BridgeFault, match="cannot be read"):
        read_sheet(config.sheet)
    save(tmp_path / "customers.csv", text)
    with pytest.raises(BridgeFault) as fault:
        read_sheet(config.sheet)
    assert told in str(fault.value).casefold()

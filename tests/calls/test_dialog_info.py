"""dialog-info documents (RFC 4235), pure: what a phone that follows them comes to believe."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree

from vpbx.calls.watching.dialog_info import Identity, LineDialog, Lines, Teller

NS = "{urn:ietf:params:xml:ns:dialog-info}"


class Phone:
    """A phone that does as RFC 4235 §4.1 says, and no more."""

    def __init__(self) -> None:
        self.version = -1
        self.dialogs: dict[str, str] = {}
        self.online: bool | None = None

    def reads(self, document: bytes) -> None:
        root = ElementTree.fromstring(document)
        version = int(root.attrib["version"])
        assert version == self.version + 1, "a gap would make it subscribe anew"
        self.version = version
        if root.attrib["state"] == "full":
            self.dialogs.clear()
        for dialog in root.findall(f"{NS}dialog"):
            state = str(dialog.findtext(f"{NS}state"))
            if state == "terminated":
                self.dialogs.pop(dialog.attrib["id"], None)
            else:
                self.dialogs[dialog.attrib["id"]] = state
        basic = root.findtext(".//{urn:ietf:params:xml:ns:pidf}basic")
        self.online = self.online if basic is None else basic == "open"


def test_whatever_happens_the_phone_believes_what_is_so() -> None:
    chance = random.Random(7)
    for _ in range(200):
        teller, phone = Teller("702", "acme.example"), Phone()
        online, calls = True, {}
        for step in range(30):
            what = chance.random()
            if what < 0.4:
                calls[str(chance.randrange(4))] = chance.choice(("early", "confirmed"))
            elif what < 0.7 and calls:
                del calls[chance.choice(sorted(calls))]
            elif what < 0.8:
                online = not online
            if chance.random() < 0.4:
                continue  # not its turn: several changes become one document
            now = Lines(online, tuple(LineDialog(id, state) for id, state in calls.items()))
            document = teller.document(now, full=not step or chance.random() < 0.1)
            if document is not None:
                phone.reads(document)
            if phone.version >= 0:
                assert (phone.dialogs, phone.online) == (calls, online)


def test_nothing_new_is_no_document_and_takes_no_number() -> None:
    teller = Teller("702", "acme.example")
    now = Lines(True, (LineDialog("1", "early"),))
    assert b'version="0"' in (teller.document(now, full=True) or b"")
    assert teller.document(now, full=False) is None
    assert b'version="1"' in (teller.document(Lines(True), full=False) or b"")


def test_names_from_outside_break_nothing() -> None:
    """A caller's name is what a stranger has written."""
    evil = '</identity><dialog id="x"/>&"\'<!--\x00\x1b\ud800' + "я" * 200
    remote = Identity('7910"<&>;@evil', evil)
    dialog = LineDialog('1"><x', "early", True, 'c"&<', "t'>", "r&", remote)
    teller = Teller('70"2<', "acme.example")
    document = teller.document(Lines(True, (dialog,), Identity("ann", evil)), full=True)
    assert document is not None
    root = ElementTree.fromstring(document)
    found = root.findall(f".//{NS}dialog")
    assert len(found) == 1
    assert found[0].attrib["id"] == '1"><x'
    identity = found[0].find(f"{NS}remote/{NS}identity")
    assert identity is not None
    assert str(identity.text).endswith("@acme.example")
    assert "%3C" in str(identity.text)
    assert "\x1b" not in document.decode()
    assert len(identity.get("display", "")) <= 80


def test_a_usual_document_fits_into_a_datagram() -> None:
    """Over 1300 bytes a request should not go by UDP (RFC 3261 §18.1.1); the head needs 550."""
    tag = "a" * 16
    remote = Identity("79101234567", "Константин Константинопольский")
    own = Identity("702", "Анна Александровна Преображенская")
    call_id = "b" * 32
    dialog = LineDialog("170000000012345", "early", True, call_id, tag, tag, remote)
    teller = Teller("702", "pbx.company.example")
    teller.document(Lines(True), full=True)
    document = teller.document(Lines(True, (dialog,), own), full=False)
    assert document is not None
    assert len(document) <= 750

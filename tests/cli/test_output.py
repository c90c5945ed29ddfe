"""What commands print of other people's words is those words."""

from __future__ import annotations

import pytest

from vpbx.cli.output import plain, show, show_fields, show_rows

SAID = ["[/oops] [red]x[/red]", r"\[bold]y"]


@pytest.mark.parametrize("words", SAID)
def test_words_of_others_are_no_markup(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    show({}, as_json=False, text=plain(words))
    assert capsys.readouterr().out.strip() == words
    show_rows([{"note": words}], as_json=False, columns=("note",), empty="")
    assert words in capsys.readouterr().out
    show_fields({"tags": [words]}, as_json=False)
    assert words in capsys.readouterr().out


def test_words_of_others_do_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show({}, as_json=False, text=plain("\x1b]0;owned\x07\x9b2Jone\ntwo"))
    assert capsys.readouterr().out == "]0;owned2Jone\ntwo\n"

"""`vpbx demo --once`: the whole story, twice on the same data."""

from __future__ import annotations

import pytest

from .conftest import Cli


@pytest.mark.timeout(240)  # it is half a minute of calls, twice
def test_demo_goes_right_and_again_on_the_same_data(cli: Cli) -> None:
    cli.patience_s = 115
    for _ in range(2):
        done = cli.run("demo", "--once")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "hears 1000 Hz, Olga's phone hears 440 Hz" in done.stdout
        for told in ("contact", "event INCOMING", "event OUTGOING", "history in", "history out"):
            assert f"CRM ← {told}" in done.stdout
        for scene in (
            "the button leads to Olga",
            "nobody is free: the second customer is answered",
            "the CRM knows: Olga got 5 of 5",
            "the message is kept: ",
            "6 calls, and one history command for each of them",
        ):
            assert f"✓ {scene}" in done.stdout
        assert "Everything went right" in done.stdout
    assert (cli.data / "demo-recording.mp3").stat().st_size > 4000

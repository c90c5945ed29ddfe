"""`vpbx demo --once`: the whole story, twice on the same data."""

from __future__ import annotations

from .conftest import Cli


def test_demo_goes_right_and_again_on_the_same_data(cli: Cli) -> None:
    for _ in range(2):
        done = cli.run("demo", "--once")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "hears 1000 Hz, Olga's phone hears 440 Hz" in done.stdout
        for told in ("contact", "event INCOMING", "event OUTGOING", "history in", "history out"):
            assert f"CRM ← {told}" in done.stdout
        assert "Everything went right" in done.stdout
    assert (cli.data / "demo-recording.mp3").stat().st_size > 4000

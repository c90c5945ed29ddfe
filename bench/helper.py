"""A program of the bench in a process of its own, told words and answering with two counts."""

from __future__ import annotations

import subprocess
import sys


class Helper:
    """`python -m NAME ARGUMENTS…`, behind what is measured; ended as it is left."""

    def __init__(self, name: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            ["nice", sys.executable, "-m", name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()

    def say(self, word: str) -> tuple[int, int]:
        """Give a word; return the two counts, when the word is carried out."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        one, other = self._process.stdout.readline().split()
        return int(one), int(other)

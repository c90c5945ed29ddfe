"""What a check of `vpbx doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "Result", "bad", "ok", "warning"]


class Result(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `remedy` says how to mend it; empty where nothing is wrong."""

    subject: str
    result: Result
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "check": self.subject,
            "result": str(self.result),
            "found": self.found,
            "remedy": self.remedy,
        }


def ok(subject: str, found: str, remedy: str = "") -> Finding:
    return Finding(subject, Result.OK, found, remedy)


def warning(subject: str, found: str, remedy: str) -> Finding:
    return Finding(subject, Result.WARNING, found, remedy)


def bad(subject: str, found: str, remedy: str) -> Finding:
    return Finding(subject, Result.BAD, found, remedy)

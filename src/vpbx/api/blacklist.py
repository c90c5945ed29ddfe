"""Black list (crm-api §10)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vpbx.api.fields import Request, Text, Texts
from vpbx.api.models import Model, only_if
from vpbx.api.operation import Section

__all__ = ["section"]

section = Section("Black list", "Callers that are refused.")

VIEW = ("Black list", "View")
CREATING = ("Black list", "Creating")
EDITING = ("Black list", "Editing")
DELETING = ("Black list", "Deleting")
STATISTICS = "Blocked calls; only with `with=statistics`."


class Blocked(Model):
    """A number, or a range that ends in `*`."""

    telnum: str
    comment: str
    week: int = only_if(f"This week. {STATISTICS}")
    year: int = only_if(f"This year. {STATISTICS}")


class StatisticsQuery(Request):
    """What to add."""

    extra: Literal["statistics"] | None = Field(None, alias="with", description=STATISTICS)


class Blocking(Request):
    """A number to refuse."""

    telnum: Text = Field(description="A number, or a range that ends in `*`: `7900800*`.")
    comment: Text = ""


Blockings = Annotated[list[Blocking], Field(max_length=10_000)]


class BlockedQuery(Request):
    """Which."""

    telnum: Texts = Field(description="A number or range; repeat it for several.")

"""Call records: journaled as calls happen, kept when they end, queried, exported.

`HistoryRecorder` listens to call events and returns the writes; `History` answers the queries
of crm-api §4 and finds recordings; `RecordingLinks` makes and checks the links that play them;
`Browser` looks for calls as people do, who write `Notes` to them.
"""

from __future__ import annotations

from vpbx.history.browse import Asked, Browser, CallRow, Seen, Totals
from vpbx.history.history import History, Recording
from vpbx.history.names import CustomerNames
from vpbx.history.notes import InvalidNote, Note, Notes
from vpbx.history.path import Step
from vpbx.history.period import PERIODS, WHENEVER, InvalidQuery, Period, select_period
from vpbx.history.query import EXTERNAL_TYPES, INNER_TYPES, Query
from vpbx.history.recorder import HistoryRecorder
from vpbx.history.recordings import (
    FAX_PATH,
    LINK_PATH,
    PDF,
    Encoding,
    RecordingLinks,
    recording_path,
)
from vpbx.history.report_ahead import ReportAhead
from vpbx.history.report_figures import Figures, ReportAsked
from vpbx.history.report_store import ReportStore
from vpbx.history.reports import Beside, Reports
from vpbx.history.tables import (
    CALLED_AGAIN,
    CALLED_BACK,
    NO_RECORD,
    NOT_MISSED,
    RECORD_READY,
    TRIED_BACK,
    UNRETURNED,
    call_history,
    call_journal,
)

__all__ = [
    "CALLED_AGAIN",
    "CALLED_BACK",
    "EXTERNAL_TYPES",
    "FAX_PATH",
    "INNER_TYPES",
    "LINK_PATH",
    "NOT_MISSED",
    "NO_RECORD",
    "PDF",
    "PERIODS",
    "RECORD_READY",
    "TRIED_BACK",
    "UNRETURNED",
    "WHENEVER",
    "Asked",
    "Beside",
    "Browser",
    "CallRow",
    "CustomerNames",
    "Encoding",
    "Figures",
    "History",
    "HistoryRecorder",
    "InvalidNote",
    "InvalidQuery",
    "Note",
    "Notes",
    "Period",
    "Query",
    "Recording",
    "RecordingLinks",
    "ReportAhead",
    "ReportAsked",
    "ReportStore",
    "Reports",
    "Seen",
    "Step",
    "Totals",
    "call_history",
    "call_journal",
    "recording_path",
    "select_period",
]

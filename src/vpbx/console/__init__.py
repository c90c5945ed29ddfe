"""The console: what a company sets and sees in the browser, and what operators do above companies.

HTTP in, operations of directory, history, calls and accounts out, and back: no rules of its own,
as in `vpbx.api`. One module a page (`pages/`), of one shape: functions that take a `Visit` and
return a response, and a tuple `pages` that says under which path, for whom (`areas.py`) and with
which entry in the menu. `admit.py` is what every request passes first. Templates stand in
`templates/`, words in `locale/`, what browsers run in `islands/`, which setup bundles.
"""

from __future__ import annotations

from vpbx.console.application import create_console, with_console
from vpbx.console.letters import Letter as ConsoleLetter
from vpbx.console.letters import invitation_letter
from vpbx.console.live import Live
from vpbx.console.pages import PAGES
from vpbx.console.provisioning import Provisioning
from vpbx.console.report_letter import report_letter
from vpbx.console.services import ConsoleServices
from vpbx.console.widget import Asks

__all__ = [
    "PAGES",
    "Asks",
    "ConsoleLetter",
    "ConsoleServices",
    "Live",
    "Provisioning",
    "create_console",
    "invitation_letter",
    "report_letter",
    "with_console",
]

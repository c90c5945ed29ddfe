"""Reports that go out by e-mail, of themselves: which, when, and to whom.

`ReportMails` keeps what a company has set and what is due; what a report says is made by the
console (`vpbx.console.report_letter`), and `vpbx.app.report_mail` puts the two together.

Knows the database layer, what companies have set, and history.
"""

from vpbx.reporting.mails import EVERY, Due, ReportMail, ReportMails
from vpbx.reporting.times import last_period, next_due

__all__ = ["EVERY", "Due", "ReportMail", "ReportMails", "last_period", "next_due"]

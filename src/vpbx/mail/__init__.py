"""Voice mailboxes and the e-mail that tells of them.

`Mailboxes` keeps who has which messages; `MailRecorder` turns what happens in calls into rows
of both; `MailQueue` sends the letters, again until a mail server takes them. The sound of a
message is the recording of its call, and lies where recordings lie.

Knows the database layer, what companies have set, and call events.
"""

from vpbx.mail.box import Mailboxes, Message
from vpbx.mail.queue import Letter, MailQueue, QueuedLetter, keep_letter
from vpbx.mail.recorder import MailRecorder
from vpbx.mail.smtp import Smtp

__all__ = [
    "Letter",
    "MailQueue",
    "MailRecorder",
    "Mailboxes",
    "Message",
    "QueuedLetter",
    "Smtp",
    "keep_letter",
]

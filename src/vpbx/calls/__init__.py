"""Call control: who may call whom, what a call does from its first INVITE to its last BYE,
and the events that tell of it.

`CallService` is the application of a SIP stack. A call is one task walking a route; a route is
a few steps (`steps/`), each of which does one thing and can be stopped anywhere. Events go out
through `journal.Journal` alone, which keeps them balanced.

Decided here, where the specification leaves room:

- A phone that calls out gets the carrier's final answer as it is and no prompt; an employee who
  waits in a click-to-call has been answered already and hears a prompt instead.
- A missed caller gets 486 when busy, 480 otherwise; the carrier never gets 603 from a phone.
- An anonymous caller's `client` is empty, and the CRM is not asked about them.
- A call that has no number of ours to go through (the company has none) is refused with 403 and
  never was; any other call that was let in has a history row, also one refused for its codecs
  (488) or for want of media (503).
- Busy is who talks, dials, or is rung by click-to-call; who merely rings can be rung again.
- The domain of an employee: see `admission`. Hold is answered here, the other leg is not
  bothered: see `bridge`.
"""

from vpbx.calls.carriers import TrunkState
from vpbx.calls.config import CallsConfig
from vpbx.calls.makecall import MadeCall, TooManyCalls
from vpbx.calls.parts import AskContact, Encoder, Mailbox, Parts, RecordingPlan, StoredMessage
from vpbx.calls.registry import ActiveCall
from vpbx.calls.service import CallService
from vpbx.calls.told.chapter import left_side
from vpbx.media import Mode

__all__ = [
    "ActiveCall",
    "AskContact",
    "CallService",
    "CallsConfig",
    "Encoder",
    "MadeCall",
    "Mailbox",
    "Mode",
    "Parts",
    "RecordingPlan",
    "StoredMessage",
    "TooManyCalls",
    "TrunkState",
    "left_side",
]

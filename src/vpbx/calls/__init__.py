"""Call control: who may call whom, what a call does from its first INVITE to its last BYE,
and the events that tell of it.

`CallService` is the application of a SIP stack. A call is one task walking a route; a route is
a few steps (`steps/`), each of which does one thing and can be stopped anywhere. Events go out
through `journal.Journal` alone, which keeps them balanced.
"""

from vpbx.calls.makecall import MadeCall
from vpbx.calls.registry import ActiveCall
from vpbx.calls.service import CallService
from vpbx.calls.switch import AskContact, CallsConfig, Encoder, RecordingPlan

__all__ = [
    "ActiveCall",
    "AskContact",
    "CallService",
    "CallsConfig",
    "Encoder",
    "MadeCall",
    "RecordingPlan",
]

"""A world to try the PBX in: a carrier, phones that answer and speak, a CRM.

Each is an `async with`; what happens can be awaited (`await phone.rings()`,
`await call.answered()`, `await call.heard(440)`). Their SIP is our stack as a user agent,
their sound is real RTP. `Cast` lets them play whole calls by a plan.
"""

from vpbx.sim.agent import UserAgent
from vpbx.sim.behaviours import Behaviour, answering, rejecting
from vpbx.sim.call import G711, Call, CallFailed, Ending
from vpbx.sim.carrier import Carrier
from vpbx.sim.cast import CUSTOMER_HZ, Answer, Cast, Part, Plan, Played, Tell
from vpbx.sim.crm import Command, Crm
from vpbx.sim.phone import Phone

__all__ = [
    "CUSTOMER_HZ",
    "G711",
    "Answer",
    "Behaviour",
    "Call",
    "CallFailed",
    "Carrier",
    "Cast",
    "Command",
    "Crm",
    "Ending",
    "Part",
    "Phone",
    "Plan",
    "Played",
    "Tell",
    "UserAgent",
    "answering",
    "rejecting",
]

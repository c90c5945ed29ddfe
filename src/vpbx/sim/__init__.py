"""A world to try the PBX in: a carrier, phones that answer and speak, a CRM.

Each is an `async with`; what happens can be awaited (`await phone.rings()`,
`await call.answered()`, `await call.heard(440)`). Their SIP is our stack as a user agent,
their sound is real RTP.
"""

from vpbx.sim.crm import Command, Crm

__all__ = ["Command", "Crm"]

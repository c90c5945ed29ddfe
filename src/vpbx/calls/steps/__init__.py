"""What a route can do to a call: one module each, one shape.

`async def run(self, call) -> Outcome`: cancellable at every await, leaving nothing behind but
the leg that an answered outcome hands over. No step knows another; routes put them in order.
"""

from vpbx.calls.steps.announce import Announce
from vpbx.calls.steps.dial import Dial
from vpbx.calls.steps.ring import Ring, Ringee
from vpbx.calls.steps.step import Step

__all__ = ["Announce", "Dial", "Ring", "Ringee", "Step"]

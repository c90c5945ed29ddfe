"""A company that is at work, for who develops a CRM: `vpbx sandbox`.

`Sandbox` runs it: the real PBX with a year of made-up history (`past.py`), and around it a
carrier, customers and phones of `vpbx.sim` that call at a rate (`traffic.py`) or as somebody
says (`acts.py`). `stage.py` has it all; here is what commands need that only ask.
"""

__all__ = ["MOST_PER_MINUTE", "PLAY", "STATE"]

PLAY, STATE = "sandbox-play", "sandbox-state"
"""What a running sandbox may be asked over its control socket."""

MOST_PER_MINUTE = 120.0
"""Calls of its own."""

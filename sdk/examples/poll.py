"""Fetches commands where none can be received: behind a firewall, on a laptop.

vpbx crm set acme.example --poll
VPBX_URL=https://acme.example:8443 VPBX_KEY=… python poll.py
"""

import os

from vpbx_sdk import Client, Event, History, Poller, Receiver

receiver = Receiver(token="")


@receiver.on_event
def happens(event: Event) -> None:
    print(event.type, event.phone, event.user, flush=True)


@receiver.on_history
def over(call: History) -> None:
    print(call.status, call.phone, f"{call.duration} s", flush=True)


with Client(os.environ["VPBX_URL"], os.environ["VPBX_KEY"]) as client:
    Poller(client, receiver, cursor="vpbx.cursor").run()

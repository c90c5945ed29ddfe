"""Transactions (RFC 3261 §17): what the layer runs and the user agents hold.

`machines` is the specification, `transaction_base` walks it, one module each for the two sides.
"""

from vpbx.sip.client_transaction import ClientListener, ClientTransaction
from vpbx.sip.machines import State as TransactionState
from vpbx.sip.server_transaction import ServerTransaction
from vpbx.sip.transaction_base import Outlet, Transaction

__all__ = [
    "ClientListener",
    "ClientTransaction",
    "Outlet",
    "ServerTransaction",
    "Transaction",
    "TransactionState",
]

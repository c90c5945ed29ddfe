"""Transactions (RFC 3261 §17): what the layer runs and the user agents hold.

`machines` is the specification, `transaction_base` walks it, one module each for the two sides.
"""

from .client_transaction import ClientListener, ClientTransaction
from .machines import State as TransactionState
from .server_transaction import ServerTransaction
from .transaction_base import Outlet, Transaction

__all__ = [
    "ClientListener",
    "ClientTransaction",
    "Outlet",
    "ServerTransaction",
    "Transaction",
    "TransactionState",
]

"""A CRM without code: what a PBX tells, written into a company's own database.

A file says with which statements (`config.py`); `receiver.py` takes commands as any CRM does,
`gather.py` gathers them, `store.py` carries the statements out, `sheet.py` keeps a spreadsheet of
customers in the database, `history.py` fetches what was before. It speaks to any
cloud with this API, ours or another's, and knows nothing of the rest of this program.
"""

from vpbx.bridge.config import BridgeConfig, BridgeFault, read
from vpbx.bridge.history import Import, fetch_history
from vpbx.bridge.receiver import make_app
from vpbx.bridge.sheet import follow_sheet, load_sheet, read_sheet
from vpbx.bridge.store import Store

__all__ = [
    "BridgeConfig",
    "BridgeFault",
    "Import",
    "Store",
    "fetch_history",
    "follow_sheet",
    "load_sheet",
    "make_app",
    "read",
    "read_sheet",
]

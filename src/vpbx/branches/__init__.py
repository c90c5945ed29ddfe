"""Connected PBXs (crm-api §16): who is there, proved by a key that never travels.

`BranchLinks` keeps the connections of this server exchanged and knows what calls between two
PBXs are authenticated with (`secrets`); its `answering` takes what others ask over HTTP.
"""

from __future__ import annotations

from vpbx.branches.answering import Answering, Refusal
from vpbx.branches.links import BranchLinks
from vpbx.branches.secrets import BranchSecrets

__all__ = ["Answering", "BranchLinks", "BranchSecrets", "Refusal"]

"""The CRM API, `/crmapi/v1` (crm-api §3–§17): HTTP in, operations of directory, history and
calls out, and back. No rules of its own.

One module a section: request models, response models, endpoints. `operation` says what an
endpoint is and runs it, `gate` is what every request passes first, `openapi` and `docs` show it
all. `create_app` puts it together.
"""

from __future__ import annotations

from vpbx.api.application import create_app, create_document
from vpbx.api.services import PREFIX, ApiConfig, ApiServices

__all__ = ["PREFIX", "ApiConfig", "ApiServices", "create_app", "create_document"]

"""Make the TypeScript types of the CRM API from its OpenAPI document: the file of a release.

    python scripts/typescript_types.py dist/vpbx-crm-api.d.ts

The tool (openapi-typescript, from npm) is installed by scripts/setup-node.sh.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from vpbx.api import create_document

TOOLS = Path(sys.prefix) / "node" / "node_modules"


def make(target: Path) -> None:
    """Write the types to `target`; raises RuntimeError where the tool is missing or fails."""
    tool = TOOLS / "openapi-typescript" / "bin" / "cli.js"
    if not tool.exists():
        raise RuntimeError("openapi-typescript is not installed: it needs Node.js with npm")
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.json"
        document.write_text(json.dumps(create_document()))
        target.parent.mkdir(parents=True, exist_ok=True)
        ran = subprocess.run(
            ["node", str(tool), str(document), "-o", str(target)], capture_output=True, text=True
        )
    if ran.returncode:
        raise RuntimeError(ran.stderr or ran.stdout)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
    print(f"{sys.argv[1]} is made")

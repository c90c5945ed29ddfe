"""Fetch what the console's pages run in browsers, check it against assets.lock, and bundle it.

`python scripts/assets.py`: npm packages come from the registry (or NPM_REGISTRY), are checked,
and esbuild, one of them, bundles src/vpbx/console/islands/*.js into static/bundle/. Nothing of
it is kept in the repository, and nothing is fetched later.
"""

import base64
import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "src/vpbx/console"
BUNDLE = CONSOLE / "static/bundle"
REGISTRY = os.environ.get("NPM_REGISTRY", "https://registry.npmjs.org").rstrip("/")
MACHINE = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}.get(platform.machine(), "")


def fetch(line: str, modules: Path) -> None:
    name, version, integrity = line.split()
    url = f"{REGISTRY}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    data = urllib.request.urlopen(url, timeout=30).read()
    found = "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
    if found != integrity:
        raise SystemExit(f"assets: {name} {version} is not what assets.lock says; nothing is used")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:  # checked above, so their names are what we know
            if member.isfile():
                file = modules / name / member.name.partition("/")[2]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.extractfile(member).read())
                file.chmod(0o755 if file.name == "esbuild" else 0o644)


def main() -> None:
    lines = [line for line in (ROOT / "assets.lock").read_text().splitlines() if line[:1] != "#"]
    others = [line for line in lines if not line.startswith("@esbuild/")]
    wanted = others + [line for line in lines if line.startswith(f"@esbuild/{MACHINE} ")]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        modules = Path(folder) / "node_modules"
        list(pool.map(lambda line: fetch(line, modules), wanted))
        esbuild = modules / "@esbuild" / MACHINE / "bin/esbuild"
        islands = map(str, sorted((CONSOLE / "islands").glob("*.js")))
        options = ["--bundle", "--minify", "--target=es2022", "--legal-comments=eof"]
        command = [esbuild, *islands, *options, f"--outdir={BUNDLE}", "--log-level=warning"]
        subprocess.run(command, check=True, env={**os.environ, "NODE_PATH": str(modules)})
        (ROOT / "build").mkdir(exist_ok=True)  # for the tests alone
        (ROOT / "build/axe.js").write_bytes((modules / "axe-core/axe.min.js").read_bytes())


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(
            f"assets: {error}. The console works without them, more plainly; `make setup` "
            "fetches them again, from NPM_REGISTRY if that is set"
        )

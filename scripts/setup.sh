#!/bin/sh
# Make the virtual environment $1 and install into it: "run" the product, "dev" what tests need.
set -eu
venv=$1
what=$2
python=${PYTHON:-python3.11}

say() { printf 'setup: %s\n' "$*" >&2; }

if ! command -v "$python" >/dev/null 2>&1; then
    python=python3
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "vpbx needs Python 3.11 or newer; '$python' is not. Set PYTHON=/path/to/python3.11"
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing python3-venv"
        apt-get update -qq >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    else
        say "this Python cannot make virtual environments; run: sudo apt-get install python3-venv"
        exit 1
    fi
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

case $what in
run)
    say "installing vpbx into $venv (the first time takes a minute)"
    pip install -q --require-hashes -r requirements.lock
    pip install -q --no-deps -e .
    # without them the console works, more plainly; it says so itself
    "$venv/bin/python" scripts/assets.py || true
    touch "$venv/.installed"
    ;;
dev)
    say "installing the tools for tests into $venv"
    pip install -q --require-hashes -r requirements-dev.lock
    touch "$venv/.installed-dev"
    ;;
*)
    say "usage: setup.sh VENV run|dev"
    exit 2
    ;;
esac

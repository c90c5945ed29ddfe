#!/bin/sh
# Install what makes and checks the TypeScript types into the virtual environment $1, from npm.
# Where there is no Node.js nothing is installed, and what needs it says so.
set -eu
venv=$1
if ! command -v npm >/dev/null 2>&1; then
    echo "setup: no Node.js with npm here: TypeScript types are neither made nor checked" >&2
    exit 0
fi
mkdir -p "$venv/node"
cp sdk/typescript/package.json sdk/typescript/package-lock.json "$venv/node/"
if npm --prefix "$venv/node" ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
then
    touch "$venv/.installed-node"
else
    rm -rf "$venv/node/node_modules"
    echo "setup: npm gave no packages: TypeScript types are neither made nor checked" >&2
fi

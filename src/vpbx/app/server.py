"""The composition root: makes the parts, starts them in order, stops them in reverse."""

from __future__ import annotations

from vpbx.config import ServeConfig

__all__ = ["run"]


def run(config: ServeConfig) -> None:
    """Serve until SIGTERM or SIGINT."""
    raise SystemExit(f"nothing to serve in {config.data} yet")

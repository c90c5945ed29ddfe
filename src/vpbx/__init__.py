"""vpbx: a self-hosted virtual PBX with a two-way CRM API."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("vpbx")

"""Fuzzers that know the grammar they break; see `docs/development.md`."""

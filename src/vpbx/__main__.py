"""`python -m vpbx` is the same as the command `vpbx`."""

from vpbx.cli import main

main()

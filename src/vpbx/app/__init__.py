"""The composition root: makes the parts of a server, starts them in order, stops them.

`server.App` is the running server, `running.run` serves until a signal. Beside it: the data
directory with its lock, secret and certificate; who holds a port; logs; HTTP listeners.
This file stays light, so that small commands start fast; import `vpbx.app.running` to serve.
"""

from vpbx.app.datadir import DataDir
from vpbx.app.fault import PortTaken, StartError

__all__ = ["DataDir", "PortTaken", "StartError"]

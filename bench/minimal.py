"""The least that FastAPI can do, to measure our own API against.

`python -m bench.minimal` answers a path with a parameter, and a body with two fields, both with
a small object; with `history DATA` it answers the history of today too, from that data directory
(bench/minimal_history.py). `python -m bench.minimal calls DATA` is a whole vpbx on that data
directory, with one more listener: a minimal endpoint that makes a call as makecall does. All are
served by uvicorn with httptools and uvloop. It prints its port, and with `calls` the API's after.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import BaseModel

from bench.company import DOMAIN
from bench.minimal_history import add_history
from vpbx.app import logs
from vpbx.app.http import HttpListener
from vpbx.app.running import settle
from vpbx.app.server import App
from vpbx.config import Endpoint, ServeConfig

app = FastAPI()


class Order(BaseModel):
    """A body like that of makecall."""

    phone: str
    user: str


@app.get("/items/{name}")
async def item(name: str, limit: int = 0) -> dict[str, str | int]:
    """Answer a GET."""
    return {"name": name, "limit": limit}


@app.post("/orders")
async def order(order: Order) -> dict[str, str]:
    """Answer a POST."""
    return {"id": order.phone, "user": order.user}


def serve() -> None:
    """Answer on a free port until killed."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        print(bound.getsockname()[1], flush=True)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        uvicorn.Server(config).run(sockets=[bound])


async def serve_calls(data: Path) -> None:
    """Run a server whose calls can be made by a minimal endpoint too, until killed."""
    logs.set_up("info")
    any_port = "127.0.0.1:0"
    server = App(
        ServeConfig.parse(
            data=data,
            http=any_port,
            https=any_port,
            sip=any_port,
            sip_tls=any_port,
            rtp_ports="22000-31998",
            advertise="127.0.0.1",
        )
    )
    await server.start()
    domain = await server.directory.domain(DOMAIN)
    assert domain is not None
    with_calls = FastAPI()

    @with_calls.post("/calls")
    async def make_call(order: Order) -> dict[str, str]:
        made = await server.calls.make_call(domain, phone=order.phone, user=order.user)
        return {"callid": made.callid}

    listener = HttpListener(Endpoint("127.0.0.1", 0))
    listener.bind()
    await listener.start(with_calls)
    settle()
    assert server.config.http is not None
    print(listener.endpoint.port, server.config.http.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["calls", data]:
            uvloop.run(serve_calls(Path(data)))
        case ["history", data]:
            add_history(app, Path(data))
            serve()
        case _:
            serve()

"""The least that FastAPI can do, to measure our own API against: `python -m bench.minimal`.

A path with a parameter, and a body with two fields, both answered with a small object; served
by uvicorn with httptools and uvloop in one process, as our API is. Prints its port.
"""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

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


def main() -> None:
    """Serve on a free port until killed."""
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


if __name__ == "__main__":
    main()

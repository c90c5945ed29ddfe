"""The clients: they carry operations out, over connections that are kept.

What is safe (GET, PUT, DELETE) is tried again when the PBX cannot be reached, is overloaded or
asks for patience; a POST never is, except after 429, which says that nothing was done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, TypeVar

import httpx

from vpbx_sdk.errors import RateLimited, ServerFault, Unreachable, VpbxError, error_of
from vpbx_sdk.items import Items
from vpbx_sdk.operation import Listing, Operation

__all__ = ["AsyncClient", "Client"]

T = TypeVar("T")

_PREFIX = "/crmapi/v1"
_PAUSES_S = (0.2, 0.5, 1.5)
_PAGE = 500
_LONGEST_PATIENCE_S = 30.0


class _Base:
    """What both clients have in common: addresses, headers, reading, deciding what to try again."""

    def __init__(
        self, url: str, key: str, *, host: str = "", timeout_s: float = 30.0, retries: int = 3
    ) -> None:
        base = url.rstrip("/")
        self._base = base if base.endswith(_PREFIX) else base + _PREFIX
        self._headers = {"X-API-KEY": key, "Accept": "application/json"}
        if host:
            self._headers["Host"] = host
        self._timeout = httpx.Timeout(timeout_s)
        self._retries = min(retries, len(_PAUSES_S))

    def _request(self, operation: Operation[Any]) -> dict[str, Any]:
        request: dict[str, Any] = {"method": operation.method, "url": self._base + operation.path}
        if operation.params:
            request["params"] = operation.params
        if operation.body is not None:
            request["json"] = operation.body
        return request

    def _read(self, operation: Operation[T], response: httpx.Response) -> T:
        if response.status_code not in (200, 204):
            raise _error(response)
        try:
            return operation.read(response.json() if response.content else None)
        except ValueError as error:  # pydantic's, too
            raise VpbxError(f"the answer is not what the API says: {error}") from error

    def _pause(self, operation: Operation[Any], error: VpbxError, tried: int) -> float | None:
        """Return the seconds to wait before another try; None: there is none."""
        if tried >= self._retries:
            return None
        if isinstance(error, RateLimited):
            return min(error.retry_after_s, _LONGEST_PATIENCE_S)
        again = isinstance(error, (Unreachable, ServerFault)) and operation.safe
        return _PAUSES_S[tried] if again else None


def _error(response: httpx.Response) -> VpbxError:
    try:
        body = response.json()
    except ValueError:
        body = {"message": response.text[:200]}
    return error_of(response.status_code, body, response.headers.get("Retry-After", ""))


def _page(listing: Listing[Any], start: int) -> Operation[Any]:
    params = {"limit": _PAGE, **listing.params, "start": start}
    return Operation(listing.method, listing.path, listing.read, params, None, True)


class Client(_Base):
    """A client that waits.

    url: `https://acme.example:8443` (with or without `/crmapi/v1`); key: for X-API-KEY; verify:
    False, or a file of certificates to trust, for servers with an authority of their own.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        host: str = "",
        timeout_s: float = 30.0,
        retries: int = 3,
        verify: bool | str = True,
    ) -> None:
        super().__init__(url, key, host=host, timeout_s=timeout_s, retries=retries)
        self._http = httpx.Client(headers=self._headers, timeout=self._timeout, verify=verify)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def __call__(self, operation: Operation[T]) -> T:
        """Carry an operation out; raises `VpbxError`."""
        tried = 0
        while True:
            try:
                return self._read(operation, self._send(operation))
            except VpbxError as error:
                pause_s = self._pause(operation, error, tried)
                if pause_s is None:
                    raise
            tried += 1
            time.sleep(pause_s)

    def each(self, listing: Listing[T]) -> Iterator[T]:
        """Give the items of a list one by one, page after page."""
        if not listing.paged:
            for value in self._stream(listing):
                yield listing.item(value)
            return
        start: int | None = int(listing.params.get("start", 0))
        while start is not None:
            page = self(_raw(_page(listing, start)))
            for value in page["items"]:
                yield listing.item(value)
            start = page["info"].get("next")

    def _stream(self, listing: Listing[Any]) -> Iterator[Any]:
        """Give the items of one long array as they come; tried again until the first came."""
        tried, given = 0, False
        while True:
            try:
                for item in self._read_items(listing):
                    given = True
                    yield item
                return
            except VpbxError as error:
                pause_s = None if given else self._pause(listing, error, tried)
                if pause_s is None:
                    raise
            tried += 1
            time.sleep(pause_s)

    def _read_items(self, listing: Listing[Any]) -> Iterator[Any]:
        items = Items()
        try:
            with self._http.stream(**self._request(listing)) as response:
                if response.status_code != 200:
                    response.read()
                    raise _error(response)
                for piece in response.iter_text():
                    yield from items.feed(piece)
        except httpx.TransportError as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        items.done()

    def _send(self, operation: Operation[Any]) -> httpx.Response:
        try:
            return self._http.request(**self._request(operation))
        except httpx.TransportError as error:
            raise Unreachable(str(error) or type(error).__name__) from error


class AsyncClient(_Base):
    """The same with `await`."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        host: str = "",
        timeout_s: float = 30.0,
        retries: int = 3,
        verify: bool | str = True,
    ) -> None:
        super().__init__(url, key, host=host, timeout_s=timeout_s, retries=retries)
        self._http = httpx.AsyncClient(headers=self._headers, timeout=self._timeout, verify=verify)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()

    async def __call__(self, operation: Operation[T]) -> T:
        """Carry an operation out; raises `VpbxError`."""
        tried = 0
        while True:
            try:
                return self._read(operation, await self._send(operation))
            except VpbxError as error:
                pause_s = self._pause(operation, error, tried)
                if pause_s is None:
                    raise
            tried += 1
            await asyncio.sleep(pause_s)

    async def each(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Give the items of a list one by one, page after page."""
        if not listing.paged:
            async for value in self._stream(listing):
                yield listing.item(value)
            return
        start: int | None = int(listing.params.get("start", 0))
        while start is not None:
            page = await self(_raw(_page(listing, start)))
            for value in page["items"]:
                yield listing.item(value)
            start = page["info"].get("next")

    async def _stream(self, listing: Listing[Any]) -> AsyncIterator[Any]:
        """Give the items of one long array as they come; tried again until the first came."""
        tried, given = 0, False
        while True:
            try:
                async for item in self._read_items(listing):
                    given = True
                    yield item
                return
            except VpbxError as error:
                pause_s = None if given else self._pause(listing, error, tried)
                if pause_s is None:
                    raise
            tried += 1
            await asyncio.sleep(pause_s)

    async def _read_items(self, listing: Listing[Any]) -> AsyncIterator[Any]:
        items = Items()
        try:
            async with self._http.stream(**self._request(listing)) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise _error(response)
                async for piece in response.aiter_text():
                    for item in items.feed(piece):
                        yield item
        except httpx.TransportError as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        items.done()

    async def _send(self, operation: Operation[Any]) -> httpx.Response:
        try:
            return await self._http.request(**self._request(operation))
        except httpx.TransportError as error:
            raise Unreachable(str(error) or type(error).__name__) from error


def _raw(operation: Operation[Any]) -> Operation[Any]:
    """Return the operation with its answer left as it came: its items are read one by one."""
    return Operation(
        operation.method, operation.path, _as_it_is, operation.params, operation.body, True
    )


def _as_it_is(value: Any) -> Any:
    return value

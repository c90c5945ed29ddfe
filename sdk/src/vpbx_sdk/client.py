"""The clients: they carry operations out, over connections that are kept.

What is safe (GET, PUT, DELETE) is tried again when the PBX cannot be reached, is overloaded or
asks for patience; a POST never is, except after 429, which says that nothing was done.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar

import httpx

from vpbx_sdk.errors import RateLimited, ServerFault, Unreachable, VpbxError, error_of
from vpbx_sdk.items import Items
from vpbx_sdk.operation import Listing, Operation

__all__ = ["AsyncClient", "Client"]

T = TypeVar("T")
H = TypeVar("H", httpx.Client, httpx.AsyncClient)

_PREFIX = "/crmapi/v1"
_PAUSES_S = (0.2, 0.5, 1.5)
_PAGE = 500
_LONGEST_PATIENCE_S = 30.0


class _Tries:
    """The tries of one operation: whether there is another after a failure, and when."""

    def __init__(self, operation: Operation[Any], retries: int) -> None:
        self._operation = operation
        self._left = list(_PAUSES_S[: max(0, retries)])
        self.has_given = False
        """Whether something came already, which must not come twice."""

    def pause_s(self, error: VpbxError) -> float:
        """Return the seconds to wait before another try; raises `error` where there is none."""
        if not self._left or self.has_given:
            raise error
        pause_s = self._left.pop(0)
        if isinstance(error, RateLimited):
            return min(error.retry_after_s, _LONGEST_PATIENCE_S)
        if isinstance(error, (Unreachable, ServerFault)) and self._operation.safe:
            return pause_s
        raise error


class _Pages(Generic[T]):
    """The pages of a list: which to ask for, and what is on the one that came."""

    def __init__(self, listing: Listing[T]) -> None:
        self._listing = listing
        self.next: Operation[Any] | None = self._page(int(listing.params.get("start", 0)))

    def items(self, page: Any) -> Iterator[T]:
        """Give what is on `page`, the answer to `next`, and go on to the one behind it."""
        for value in page["items"]:
            yield self._listing.item(value)
        start = page["info"].get("next")
        self.next = None if start is None else self._page(start)

    def _page(self, start: int) -> Operation[Any]:
        listing = self._listing
        params = {"limit": _PAGE, **listing.params, "start": start}
        return Operation(listing.method, listing.path, _as_it_is, params, None, True)


class _Base(Generic[H]):
    """What both clients have in common: addresses, headers, reading, deciding what to try again."""

    _open: Callable[..., H]

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
        base = url.rstrip("/")
        self._base = base if base.endswith(_PREFIX) else base + _PREFIX
        self._retries = retries
        self._headers = {"X-API-KEY": key, "Accept": "application/json"}
        if host:
            self._headers["Host"] = host
        timeout = httpx.Timeout(timeout_s)
        self._http: H = type(self)._open(headers=self._headers, timeout=timeout, verify=verify)

    def _tries(self, operation: Operation[Any]) -> _Tries:
        return _Tries(operation, self._retries)

    def _request(self, operation: Operation[Any]) -> dict[str, Any]:
        request: dict[str, Any] = {"method": operation.method, "url": self._base + operation.path}
        if operation.params:
            request["params"] = operation.params
        if operation.body is not None:
            request["json"] = operation.body
        return request


def _answer(operation: Operation[T], response: httpx.Response) -> T:
    if response.status_code not in (200, 204):
        raise _error(response)
    try:
        return operation.read(response.json() if response.content else None)
    except ValueError as error:  # pydantic's, too
        raise VpbxError(f"the answer is not what the API says: {error}") from error


def _error(response: httpx.Response) -> VpbxError:
    try:
        body = response.json()
    except ValueError:
        body = {"message": response.text[:200]}
    return error_of(response.status_code, body, response.headers.get("Retry-After", ""))


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    """Tell of faults of the network as the SDK does."""
    try:
        yield
    except httpx.TransportError as error:
        raise Unreachable(str(error) or type(error).__name__) from error


def _as_it_is(value: Any) -> Any:
    return value


class Client(_Base[httpx.Client]):
    """A client that waits.

    url: `https://acme.example:8443` (with or without `/crmapi/v1`); key: for X-API-KEY; verify:
    False, or a file of certificates to trust, for servers with an authority of their own.
    """

    _open = httpx.Client

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
        tries = self._tries(operation)
        while True:
            try:
                with _reaching():
                    response = self._http.request(**self._request(operation))
                return _answer(operation, response)
            except VpbxError as error:
                time.sleep(tries.pause_s(error))

    def each(self, listing: Listing[T]) -> Iterator[T]:
        """Give the items of a list one by one, page after page."""
        if not listing.paged:
            yield from self._stream(listing)
            return
        pages = _Pages(listing)
        while pages.next is not None:
            yield from pages.items(self(pages.next))

    def _stream(self, listing: Listing[T]) -> Iterator[T]:
        """Give the items of one long array as they come; tried again until the first came."""
        tries = self._tries(listing)
        while True:
            try:
                for item in self._read_items(listing):
                    tries.has_given = True
                    yield listing.item(item)
                return
            except VpbxError as error:
                time.sleep(tries.pause_s(error))

    def _read_items(self, listing: Listing[Any]) -> Iterator[Any]:
        items = Items()
        with _reaching(), self._http.stream(**self._request(listing)) as response:
            if response.status_code != 200:
                response.read()
                raise _error(response)
            for piece in response.iter_text():
                yield from items.feed(piece)
        items.done()


class AsyncClient(_Base[httpx.AsyncClient]):
    """The same with `await`."""

    _open = httpx.AsyncClient

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
        tries = self._tries(operation)
        while True:
            try:
                with _reaching():
                    response = await self._http.request(**self._request(operation))
                return _answer(operation, response)
            except VpbxError as error:
                await asyncio.sleep(tries.pause_s(error))

    async def each(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Give the items of a list one by one, page after page."""
        if not listing.paged:
            async for item in self._stream(listing):
                yield item
            return
        pages = _Pages(listing)
        while pages.next is not None:
            for item in pages.items(await self(pages.next)):
                yield item

    async def _stream(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Give the items of one long array as they come; tried again until the first came."""
        tries = self._tries(listing)
        while True:
            try:
                async for item in self._read_items(listing):
                    tries.has_given = True
                    yield listing.item(item)
                return
            except VpbxError as error:
                await asyncio.sleep(tries.pause_s(error))

    async def _read_items(self, listing: Listing[Any]) -> AsyncIterator[Any]:
        items = Items()
        with _reaching():
            async with self._http.stream(**self._request(listing)) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise _error(response)
                async for piece in response.aiter_text():
                    for item in items.feed(piece):
                        yield item
        items.done()

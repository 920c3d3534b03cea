"""The asynchronous HTTP client of the connectors that have no library of their own.

It connects to the open internet over https only, unless the operator's settings name the host (a sandbox). Redirects
are not followed, nothing is taken from the environment, no cookie is kept, and an answer is read up to a limit.

    NotSent    nothing has left: trying again is harmless
    NoAnswer   the request may have arrived: on a write the effect is unknown
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from connectors.crm.addresses import AddressRefused, guarded_socket
from connectors.crm.seam import ConfigBroken
from connectors.tracing import note, outgoing
from schemas import codec

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes; the largest answer asked for is a page of 500 records."""


class NotSent(Exception):
    """The connection could not be made."""


class NoAnswer(Exception):
    """The request left, or may have left, and no whole answer came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None when it is something else."""
        try:
            return codec.loads(self.body)
        except ValueError:
            return None

    def text(self) -> str:
        """The body as text, for a person."""
        return self.body[:2000].decode("utf-8", "replace")


class Http:
    """One client for all tenants. `allowed` holds host[:port] of the operator's own addresses."""

    def __init__(self, *, allowed: frozenset[str], connect_timeout: float, read_timeout: float) -> None:
        self._allowed = allowed
        self._timeout = aiohttp.ClientTimeout(
            total=connect_timeout + 2 * read_timeout, sock_connect=connect_timeout, sock_read=read_timeout
        )
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        json: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, one answer. Raises NotSent, NoAnswer, or ConfigBroken for a URL that may not be called."""
        with outgoing(f"HTTP {method}"):
            answer = await self._call(method, url, headers, json, params)
            note(status=answer.status)
            return answer

    async def _call(
        self, method: str, url: str, headers: Mapping[str, str], json: Any, params: Mapping[str, str] | None
    ) -> Answer:
        session = self._session(url)
        body = None if json is None else codec.dumps(json)
        sent = {**headers, **({"Content-Type": "application/json"} if body is not None else {})}
        try:
            async with session.request(
                method, url, data=body, headers=sent, params=params, allow_redirects=False
            ) as response:
                content = await response.content.read(ANSWER_LIMIT)
                while len(content) < ANSWER_LIMIT and (more := await response.content.read(ANSWER_LIMIT)):
                    content += more
                if len(content) >= ANSWER_LIMIT:
                    raise NoAnswer(f"the answer is larger than {ANSWER_LIMIT} bytes")
                return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, content)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefused):
                raise ConfigBroken(f"{urlsplit(url).hostname}: {error.os_error}", code="address") from error
            raise NotSent(type(error).__name__) from error
        except (aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NotSent(type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer(type(error).__name__) from error

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, url: str) -> aiohttp.ClientSession:
        parts = urlsplit(url)
        own = parts.netloc.lower() in self._allowed
        if not own and (parts.scheme != "https" or parts.port not in (None, 443) or parts.username is not None):
            raise ConfigBroken(
                f"{parts.hostname}: only https on port 443 is called; correct the address", code="address"
            )
        if own not in self._sessions:
            connector = aiohttp.TCPConnector(
                limit=0, keepalive_timeout=30, socket_factory=None if own else guarded_socket
            )
            self._sessions[own] = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
                headers={"User-Agent": "leadbus", "Accept": "application/json"},
            )
        return self._sessions[own]

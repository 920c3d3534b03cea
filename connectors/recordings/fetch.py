"""Fetches call recordings over HTTP: the real `Recordings`.

CallRail names a recording in two ways. The API form (`…/v3/a/ACCOUNT/calls/ID/recording.json`) takes the tenant's key
and answers where the file is; the file itself, and the link form, are fetched without any credential. So the key is
sent in exactly one request, to a host of the tenant's list, and no redirect is followed with it. Bytes are streamed,
counted against the tenant's longest recording, and a body that ends early is a passing fault.

Error texts name hosts only: paths and queries of recordings are as good as keys.
Source: CallRail API v3, "Retrieving a call recording"; the key goes into `Authorization: Token token="KEY"`.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from connectors.recordings.guard import AddressRefused, Places, PublicResolver
from connectors.recordings.seam import Recording, RecordingGone, RecordingRefused, RecordingUnavailable, TooLarge
from connectors.secrets.seam import SecretMissing, Secrets, SecretUnavailable
from connectors.settings import ConnectionSettings
from connectors.tracing import outgoing
from schemas.codec import loads
from schemas.tenant import IntakeBundle

CHUNK_BYTES = 64 * 1024
BYTES_PER_SECOND = 32_000
"""Stereo telephone audio without compression (8 kHz, 16 bit); a longer body is not the call it claims to be."""
LARGEST_BYTES = 500_000_000

_API_FORM = re.compile(r"/v3/a/[^/]+/calls/[^/]+/recording\.json")
_ANSWER_BYTES = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECTS_FOLLOWED = 3


class HttpRecordings:
    """`resolver` makes the name resolver behind the public-address check; None is the system's."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        sandbox_hosts: tuple[str, ...] = (),
        connect_seconds: float = 3.0,
        read_seconds: float = 15.0,
        resolver: Callable[[], AbstractResolver] | None = None,
    ) -> None:
        self._secrets = secrets
        self._places = Places(sandbox_hosts)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds, sock_read=read_seconds)
        self._resolver = resolver or aiohttp.DefaultResolver
        self._public: aiohttp.ClientSession | None = None
        self._sandbox: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self, tenant: IntakeBundle, url: str, *, secret: str | None) -> AsyncIterator[Recording]:
        """See the seam."""
        where = self._places.first(url, tenant.recordings.hosts)
        async with AsyncExitStack() as stack:
            stack.enter_context(outgoing("recordings open"))
            if _API_FORM.fullmatch(where.path):
                where = await self._located(tenant, where, secret or tenant.recordings.secret)
            response = await self._followed(stack, where)
            _check_status(response, where)
            limit = min(LARGEST_BYTES, int(tenant.recordings.max_seconds * BYTES_PER_SECOND))
            size = response.content_length
            if size is not None and size > limit:
                raise TooLarge(f"the recording has {size} bytes; at most {limit} are fetched for this tenant")
            content_type = response.headers.get("Content-Type")
            yield Recording(content_type, size, _chunks(response, where, limit))

    async def close(self) -> None:
        """Close the sessions."""
        for session in (self._public, self._sandbox):
            if session is not None:
                await session.close()
        self._public = self._sandbox = None

    async def _located(self, tenant: IntakeBundle, where: URL, secret: str | None) -> URL:
        """Where the API says the file is."""
        if secret is None:
            raise RecordingRefused(f"{where.host} asks for an API key, and neither office nor tenant names one")
        try:
            key = await self._secrets.get(tenant.tenant, secret)
        except SecretMissing as error:
            raise RecordingRefused(str(error)) from None
        except SecretUnavailable as error:
            raise RecordingUnavailable(str(error)) from None
        async with AsyncExitStack() as stack:
            response = await self._get(stack, where, {"Authorization": f'Token token="{key}"'})
            if response.status in _REDIRECTS:
                return self._next(response, where)
            _check_status(response, where)
            try:
                body = await response.content.read(_ANSWER_BYTES)
                while len(body) < _ANSWER_BYTES and (more := await response.content.read(_ANSWER_BYTES - len(body))):
                    body += more
            except (aiohttp.ClientError, TimeoutError) as error:
                raise _passing(where, error) from error
            return self._places.onward(_url_in(body, where))

    async def _followed(self, stack: AsyncExitStack, where: URL) -> aiohttp.ClientResponse:
        """The file's answer, after a few redirects, each to a place that is allowed; no credential goes along."""
        for _ in range(_REDIRECTS_FOLLOWED + 1):
            response = await self._get(stack, where, {})
            if response.status not in _REDIRECTS:
                return response
            where = self._next(response, where)
        raise RecordingRefused(f"{where.host} keeps redirecting")

    def _next(self, response: aiohttp.ClientResponse, where: URL) -> URL:
        try:
            return self._places.onward(where.join(URL(response.headers.get("Location", ""))))
        except ValueError:
            raise RecordingRefused(f"{where.host} redirects to something that is no URL") from None

    async def _get(self, stack: AsyncExitStack, where: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        session = self._session(where)
        try:
            return await stack.enter_async_context(session.get(where, headers=headers, allow_redirects=False))
        except aiohttp.InvalidURL:
            raise RecordingRefused("the recording's URL cannot be read") from None
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error.__cause__, AddressRefused):
                raise RecordingRefused(str(error.__cause__)) from None
            raise _passing(where, error) from error

    def _session(self, where: URL) -> aiohttp.ClientSession:
        """A session that reaches public addresses only, unless the operator named the host."""
        if self._places.is_sandbox(where):
            self._sandbox = self._sandbox or self._new_session(aiohttp.TCPConnector())
            return self._sandbox
        if self._public is None:
            self._public = self._new_session(aiohttp.TCPConnector(resolver=PublicResolver(self._resolver())))
        return self._public

    def _new_session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        # No cookies, no proxy from the environment, no decompression: the bytes as they are.
        return aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "leadbus"},
        )


def open_recordings(settings: ConnectionSettings, secrets: Secrets) -> HttpRecordings:
    """The fetcher that the settings describe; connects at first use."""
    return HttpRecordings(
        secrets,
        sandbox_hosts=settings.recordings_hosts,
        connect_seconds=settings.connect_timeout_seconds,
        read_seconds=settings.read_timeout_seconds,
    )


async def _chunks(response: aiohttp.ClientResponse, where: URL, limit: int) -> AsyncIterator[bytes]:
    got = 0
    try:
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            got += len(chunk)
            if got > limit:
                raise TooLarge(f"the recording is larger than the {limit} bytes that are fetched for this tenant")
            yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _passing(where, error) from error


def _check_status(response: aiohttp.ClientResponse, where: URL) -> None:
    status = response.status
    if status == 200:
        return
    if status in (404, 410):
        raise RecordingGone(f"{where.host} has no such recording ({status})")
    if status in (408, 425, 429) or status >= 500:
        raise RecordingUnavailable(f"{where.host} answered {status}", delay=_delay(response))
    raise RecordingRefused(f"{where.host} answered {status}")


def _delay(response: aiohttp.ClientResponse) -> float | None:
    """Retry-After in seconds; its date form is rare and left to the caller's own pace."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _url_in(body: bytes, where: URL) -> URL:
    try:
        answer = loads(body)
        return URL(answer["url"])
    except (ValueError, TypeError, KeyError):
        raise RecordingUnavailable(f"{where.host} did not say where the recording is") from None


def _passing(where: URL, error: Exception) -> RecordingUnavailable:
    return RecordingUnavailable(f"{where.host}: {type(error).__name__}")

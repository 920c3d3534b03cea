"""gRPC channels to Google's APIs: one way to open them, and a pool that keeps each under Google's stream limit.

`GoogleChannels` opens a channel to a host, over TLS with application-default credentials; with a stand-in endpoint (a
sandbox) it opens the same channel there, without TLS and credentials. `ChannelPool` holds one client per channel and
hands out the least busy. A Google front end carries about 100 calls per connection and refuses or queues the rest, so
the pool lets 80 through per channel and makes the others wait; equal channels would share one connection, hence each
has a subchannel pool of its own. Channels open at first use, inside the running loop, so an idle pool costs nothing.

Fails with `NoCredentials` when none are found. Source of the limit: gRPC performance best practices (grpc.io).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

Channel: TypeAlias = Any
"""A `grpc.aio.Channel`."""

ClientT = TypeVar("ClientT")

CALLS_PER_CHANNEL = 80
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_CLOSE_GRACE_SECONDS = 1.0
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class NoCredentials(Exception):
    """No application-default credentials; set GOOGLE_APPLICATION_CREDENTIALS or run where Google provides them."""


class GoogleChannels:
    """Opens channels. `endpoint` is host:port that stands in for every Google host, without TLS."""

    def __init__(self, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._credentials: Any = None
        self._lock = asyncio.Lock()

    async def open(self, host: str) -> Channel:
        """A channel to `host` (no port). Raises `NoCredentials`."""
        # Imported here, because who keeps secrets in files needs no gRPC.
        import grpc.aio

        if self._endpoint is not None:
            return grpc.aio.insecure_channel(self._endpoint, options=_OPTIONS)
        from google.api_core import grpc_helpers_async

        credentials = await self._default_credentials()
        return grpc_helpers_async.create_channel(f"{host}:443", credentials=credentials, options=_OPTIONS)

    async def _default_credentials(self) -> Any:
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError

        async with self._lock:
            if self._credentials is None:
                try:
                    # The look-up may read files and ask the metadata server, and blocks while it does.
                    self._credentials, _ = await asyncio.to_thread(google.auth.default, scopes=_SCOPES)
                except DefaultCredentialsError as error:
                    raise NoCredentials(
                        "no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS or attach a service account"
                    ) from error
            return self._credentials


@dataclass
class _Member(Generic[ClientT]):
    busy: int = 0
    channel: Channel | None = None
    client: ClientT | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class ChannelPool(Generic[ClientT]):
    """Up to `size` channels with a client each; `open_channel` opens one, `client_of` builds the client on it."""

    def __init__(
        self,
        open_channel: Callable[[], Awaitable[Channel]],
        client_of: Callable[[Channel], ClientT],
        *,
        size: int,
        calls_per_channel: int = CALLS_PER_CHANNEL,
    ) -> None:
        self._open_channel = open_channel
        self._client_of = client_of
        self._members: list[_Member[ClientT]] = [_Member() for _ in range(size)]
        self._slots = asyncio.Semaphore(size * calls_per_channel)

    @property
    def busy(self) -> tuple[int, ...]:
        """Calls in flight per channel."""
        return tuple(member.busy for member in self._members)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ClientT]:
        """The client with the fewest calls in flight, for one call; waits while every channel is full."""
        async with self._slots:
            # Whoever holds a slot finds a member below its limit, because the least busy one is at most average.
            member = min(self._members, key=lambda m: m.busy)
            member.busy += 1
            try:
                yield await self._ready(member)
            finally:
                member.busy -= 1

    async def _ready(self, member: _Member[ClientT]) -> ClientT:
        if member.client is None:
            async with member.opening:
                if member.client is None:
                    member.channel = await self._open_channel()
                    member.client = self._client_of(member.channel)
        return member.client

    async def close(self) -> None:
        """Close every channel; calls in flight get a second to end."""
        channels = [member.channel for member in self._members if member.channel is not None]
        self._members = [_Member() for _ in self._members]
        await asyncio.gather(*(channel.close(_CLOSE_GRACE_SECONDS) for channel in channels))

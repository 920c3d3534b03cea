"""The three places an operator may keep a secret in, each read by its address.

    env://VAR                                  the process's environment, as it was at start
    file:///PATH                               a file, read anew each time (a mounted volume follows a rotation)
    gcp://projects/P/secrets/S/versions/V      Google Secret Manager; V is a number, an alias or `latest`

Each gives text or raises an error of the seam; a single line break at the end, which editors and `echo` leave, is not
part of the secret. Google's client is imported when the first gcp address is read. Its own retry pauses two seconds at
first, so it is replaced by a quicker one; the checksum that comes with a value is verified.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from connectors.google_channels import GoogleChannels
from connectors.secrets.seam import SecretMissing, SecretUnavailable

_HOST = "secretmanager.googleapis.com"
_ATTEMPT_SECONDS = 5.0


class Source(Protocol):
    """Reads secrets of one scheme."""

    async def read(self, address: str) -> str:
        """The secret's text. Raises `SecretMissing` or `SecretUnavailable`; their text never holds the value."""
        ...

    async def close(self) -> None:
        """Let go of clients."""
        ...


class Environment:
    """`env://VAR`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    async def read(self, address: str) -> str:
        """See `Source`."""
        name = address.removeprefix("env://")
        if not self._environ.get(name):
            raise SecretMissing(f"the environment variable {name} is not set")
        return self._environ[name]

    async def close(self) -> None:
        """Nothing is held."""


class Files:
    """`file:///PATH`."""

    async def read(self, address: str) -> str:
        """See `Source`."""
        path = Path(unquote(urlsplit(address).path))
        try:
            return _text(await asyncio.to_thread(path.read_bytes), address)
        except (FileNotFoundError, NotADirectoryError):
            raise SecretMissing(f"there is no file {path}") from None
        except OSError as error:
            raise SecretUnavailable(f"the file {path} cannot be read: {error.strerror}") from None

    async def close(self) -> None:
        """Nothing is held."""


class SecretManager:
    """`gcp://projects/P/secrets/S/versions/V`."""

    def __init__(self, channels: GoogleChannels) -> None:
        self._channels = channels
        self._channel: Any = None
        self._client: Any = None
        self._opening = asyncio.Lock()

    async def read(self, address: str) -> str:
        """See `Source`."""
        from google.api_core.exceptions import GoogleAPICallError

        from connectors.google_calls import Patience, Status, patiently, status_of, words_of
        from connectors.google_channels import NoCredentials

        name = address.removeprefix("gcp://")
        patience = Patience(
            {Status.UNAVAILABLE: 3, Status.RESOURCE_EXHAUSTED: 2, Status.DEADLINE_EXCEEDED: 1, Status.INTERNAL: 1},
            first_pause=0.05,
            longest_pause=1.0,
            jitter=0.05,
        )
        try:
            client = await self._ready()

            async def attempt() -> Any:
                return await client.access_secret_version(request={"name": name}, retry=None, timeout=_ATTEMPT_SECONDS)

            answer = await patiently(attempt, patience)
        except NoCredentials as error:
            raise SecretUnavailable(str(error)) from None
        except GoogleAPICallError as error:
            if status_of(error) in (Status.NOT_FOUND, Status.FAILED_PRECONDITION, Status.INVALID_ARGUMENT):
                # A disabled or destroyed version fails its precondition.
                raise SecretMissing(f"{name}: {words_of(error)}") from None
            raise SecretUnavailable(f"{name}: {words_of(error)}") from None
        return self._verified(answer.payload, address)

    async def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = self._client = None

    async def _ready(self) -> Any:
        async with self._opening:
            if self._client is None:
                from google.cloud.secretmanager_v1.services.secret_manager_service import (
                    SecretManagerServiceAsyncClient,
                )
                from google.cloud.secretmanager_v1.services.secret_manager_service.transports.grpc_asyncio import (
                    SecretManagerServiceGrpcAsyncIOTransport,
                )

                self._channel = await self._channels.open(_HOST)
                transport = SecretManagerServiceGrpcAsyncIOTransport(channel=self._channel)
                self._client = SecretManagerServiceAsyncClient(transport=transport)
            return self._client

    def _verified(self, payload: Any, address: str) -> str:
        import google_crc32c

        data = bytes(payload.data)
        if "data_crc32c" in payload and payload.data_crc32c != google_crc32c.value(data):
            raise SecretUnavailable(f"{address.removeprefix('gcp://')}: the value was damaged on its way")
        return _text(data, address)


def _text(data: bytes, address: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SecretMissing(f"{address} does not hold text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SecretMissing(f"{address} is empty")
    return text

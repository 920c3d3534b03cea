"""The connections that all connectors of a process share: threads for the synchronous libraries, pools for the rest.

Nothing is opened before it is asked for, so a daemon for one kind imports one vendor's client. Cookies are never kept,
and no proxy or credential is taken from the environment.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.settings import ConnectionSettings

if TYPE_CHECKING:
    import urllib3

    from connectors.crm.http import Http

THREADS = 64
"""Measured: 64 threads carry 700 to 900 calls a second at 50 ms; 128 are no better (hubspot-api-client, 2 cores)."""


class Transports:
    """Built by the `ConnectorPool`, handed to every connector, closed with the pool."""

    def __init__(self, settings: ConnectionSettings, threads: int = THREADS) -> None:
        self._settings = settings
        self._width = threads
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="crm")
        self._urllib3: urllib3.PoolManager | None = None
        self._http: Http | None = None

    @property
    def timeouts(self) -> tuple[float, float]:
        """Seconds to connect and to read, for libraries that take the pair."""
        return self._settings.connect_timeout_seconds, self._settings.read_timeout_seconds

    def urllib3_pool(self) -> Any:
        """One urllib3 pool for all tenants; it neither repeats a call nor follows a redirect."""
        if self._urllib3 is None:
            import urllib3

            self._urllib3 = urllib3.PoolManager(num_pools=8, maxsize=self._width, retries=False)
        return self._urllib3

    def http(self) -> "Http":
        """The asynchronous client; only hosts that the operator's settings name may have an inner address."""
        if self._http is None:
            from connectors.crm.http import Http

            default = ConnectionSettings.model_fields["sendgrid_url"].default
            own = (self._settings.pipedrive_url, self._settings.sendgrid_url)
            self._http = Http(
                allowed=frozenset(urlsplit(url).netloc.lower() for url in own if url and url != default),
                connect_timeout=self._settings.connect_timeout_seconds,
                read_timeout=self._settings.read_timeout_seconds,
            )
        return self._http

    async def close(self) -> None:
        """Let go of connections and threads; calls under way end by their timeouts."""
        if self._http is not None:
            await self._http.close()
            self._http = None
        if self._urllib3 is not None:
            self._urllib3.clear()
            self._urllib3 = None
        self.threads.shutdown(wait=False, cancel_futures=True)

"""The HTTP session under simple-salesforce: what the library leaves open is closed here.

The library always builds https addresses of the instance, passes no timeout, and drops the headers of error answers.
This session goes where it is told (a sandbox), has timeouts, follows no redirect, takes nothing from the environment,
and keeps the headers that matter. It refuses any other host: the library joins record ids into addresses, and one that
is an address itself would carry the token away.
"""

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

_KEPT = ("Retry-After", "Sforce-Limit-Info")


class SalesforceSession(requests.Session):
    """One org's session, shared by the threads of its connector. `reach` replaces scheme and host; None keeps them."""

    def __init__(self, instance_url: str, *, reach: str | None, timeouts: tuple[float, float], width: int) -> None:
        super().__init__()
        self.trust_env = False
        self._host = urlsplit(instance_url).netloc
        self._reach = urlsplit(reach) if reach is not None else None
        self._timeouts = timeouts
        self._of_thread = threading.local()
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=width, max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        """As `requests.Session.request`; raises `requests.exceptions.InvalidURL` for another host."""
        self._of_thread.kept = {}
        parts = urlsplit(str(url))
        if parts.scheme != "https" or parts.netloc != self._host:
            raise requests.exceptions.InvalidURL("the address is not of this org")
        if self._reach is not None:
            parts = parts._replace(scheme=self._reach.scheme, netloc=self._reach.netloc)
        options["timeout"] = self._timeouts
        options["allow_redirects"] = False
        response = super().request(method, urlunsplit(parts), *args, **options)
        self._of_thread.kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        return response

    def last_headers(self) -> Mapping[str, str]:
        """Headers of the last answer that this thread got: `Retry-After` and `Sforce-Limit-Info` where present."""
        kept: dict[str, str] = getattr(self._of_thread, "kept", {})
        return kept

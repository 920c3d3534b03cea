"""Resolves `secret://NAME` of a tenant through the operator's mapping, and keeps what it read: the real `Secrets`.

Promises for a hot path: a value is read once however many ask for it at the same time; it is read again after a few
minutes (with jitter, so that processes do not ask together), so a rotation arrives; while its source is down or slow
the last value is served on, and the source is asked again every few seconds; that a secret is missing or out of reach
is remembered for a few seconds. A reader that is cancelled does not disturb the others. Values are in memory only, and
in no text of an error, log or repr. Only what the mapping names is ever read, which also bounds the memory.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.google_channels import GoogleChannels
from connectors.secrets.seam import SecretError, SecretMissing, SecretUnavailable
from connectors.secrets.sources import Environment, Files, SecretManager, Source
from connectors.settings import ConnectionSettings

_PREFIX = "secret://"


@dataclass(frozen=True, slots=True)
class Freshness:
    """Seconds: `value` is fresh (a fifth more or less), a failure is remembered for `failure`, an old value is waited
    for its successor for `wait` and served for `stale` at most, a read may take `read`."""

    value: float = 600.0
    failure: float = 5.0
    wait: float = 1.0
    stale: float = 24 * 3600.0
    read: float = 10.0


@dataclass(slots=True)
class _Kept:
    """A value, or the error that stands in for it."""

    text: str | None = field(repr=False)
    read_at: float
    ask_again_at: float
    failure: type[SecretError] = SecretMissing
    words: str = ""


class MappedSecrets:
    """`mapping` is `{"TENANT/NAME": address}`, `sources` by scheme; `now` gives seconds, `spread` a number in 0…1."""

    def __init__(
        self,
        mapping: Mapping[str, str],
        sources: Mapping[str, Source],
        *,
        freshness: Freshness | None = None,
        now: Callable[[], float] = time.monotonic,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._mapping = dict(mapping)
        self._sources = dict(sources)
        self._freshness = freshness or Freshness()
        self._now = now
        self._spread = spread
        self._kept: dict[str, _Kept] = {}
        self._reading: dict[str, asyncio.Task[str]] = {}
        for key, address in self._mapping.items():
            if (scheme := address.partition("://")[0]) not in self._sources:
                known = ", ".join(f"{name}://" for name in self._sources)
                raise ValueError(f"secret {key}: unknown scheme {scheme}://, known are {known}")

    async def get(self, tenant_id: str, ref: str) -> str:
        """See the seam."""
        key = f"{tenant_id}/{ref.removeprefix(_PREFIX)}"
        if not ref.startswith(_PREFIX) or key not in self._mapping:
            raise SecretMissing(f"no secret is mapped for {key}; add it to the operator's secrets file")
        kept = self._kept.get(key)
        if kept is not None and self._now() < kept.ask_again_at:
            return _value(kept)
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.create_task(self._read(key), name="read a secret")
            self._reading[key] = reading
            reading.add_done_callback(lambda task: self._done(key, task))
        if kept is not None and kept.text is not None and self._now() - kept.read_at <= self._freshness.stale:
            done, _ = await asyncio.wait({reading}, timeout=self._freshness.wait)
            if not done:
                return kept.text
        return await asyncio.shield(reading)

    async def close(self) -> None:
        """Let go of clients and of what is kept."""
        for task in list(self._reading.values()):
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        self._kept.clear()
        for source in self._sources.values():
            await source.close()

    async def _read(self, key: str) -> str:
        address = self._mapping[key]
        source = self._sources[address.partition("://")[0]]
        fresh, now = self._freshness, self._now()
        try:
            async with asyncio.timeout(fresh.read):
                text = await source.read(address)
        except SecretMissing as error:
            raise self._failed(key, SecretMissing, f"{key}: {error}") from None
        except (SecretUnavailable, TimeoutError) as error:
            kept = self._kept.get(key)
            if kept is not None and kept.text is not None and now - kept.read_at <= fresh.stale:
                kept.ask_again_at = self._now() + fresh.failure
                return kept.text
            raise self._failed(key, SecretUnavailable, f"{key}: {str(error) or 'no answer in time'}") from None
        self._kept[key] = _Kept(text, now, now + fresh.value * (0.8 + 0.4 * self._spread()))
        return text

    def _failed(self, key: str, kind: type[SecretError], words: str) -> SecretError:
        now = self._now()
        self._kept[key] = _Kept(None, now, now + self._freshness.failure, kind, words)
        return kind(words)

    def _done(self, key: str, task: asyncio.Task[str]) -> None:
        self._reading.pop(key, None)
        if not task.cancelled():
            # Asked for, so that an error nobody waited for any more is not reported as forgotten.
            task.exception()


def open_secrets(settings: ConnectionSettings, environ: Mapping[str, str] | None = None) -> MappedSecrets:
    """Secrets by the settings' mapping file; none at all when there is no file. Raises ValueError for a bad file."""
    mapping = read_mapping(settings.secrets_file) if settings.secrets_file is not None else {}
    sources: dict[str, Source] = {
        "env": Environment(os.environ if environ is None else environ),
        "file": Files(),
        "gcp": SecretManager(GoogleChannels(settings.google_endpoint)),
    }
    return MappedSecrets(mapping, sources)


def read_mapping(path: Path) -> dict[str, str]:
    """The mapping file: a JSON object of `"TENANT/NAME": "SCHEME://…"`. Raises ValueError naming the entry."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: must be a JSON object of TENANT/NAME to an address")
    for key, address in found.items():
        if "/" not in key or not isinstance(address, str) or "://" not in address:
            raise ValueError(f"{path}: {key}: must be TENANT/NAME with an env://, file:// or gcp:// address")
    return found


def _value(kept: _Kept) -> str:
    if kept.text is None:
        raise kept.failure(kept.words)
    return kept.text

"""Keeps bytes under their hash, in a directory, a bucket or memory: the real `Objects`.

A key is `TENANT/FIRST-TWO/SHA-256`. An object is created only when absent and appears whole or not at all, so writers
need no lock and putting the same bytes again changes nothing. What is read is hashed again: bytes that do not match
their name are as missing. Errors beside the seam's `ObjectMissing`: `ObjectsUnavailable`, the storage does not answer.
"""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import GCSStore, LocalStore, MemoryStore

from connectors.recordings.seam import ObjectMissing, ObjectsUnavailable
from schemas.codec import sha256

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_REF = re.compile(r"[0-9a-f]{64}")


class StoredObjects:
    """Objects in one store; an obstore store is safe to share between tasks."""

    def __init__(self, store: LocalStore | GCSStore | MemoryStore) -> None:
        self._store = store

    async def put(self, tenant_id: str, data: bytes) -> str:
        """See the seam. Raises `ObjectsUnavailable`."""
        ref = sha256(data)
        try:
            await self._store.put_async(_key(tenant_id, ref), data, mode="create")
        except AlreadyExistsError:
            return ref
        except BaseError as error:
            raise ObjectsUnavailable(f"an object of {tenant_id} could not be kept: {type(error).__name__}") from error
        return ref

    async def get(self, tenant_id: str, ref: str) -> bytes:
        """See the seam. Raises `ObjectsUnavailable`."""
        try:
            found = await self._store.get_async(_key(tenant_id, ref))
            data = bytes(await found.bytes_async())
        except (NotFoundError, FileNotFoundError):
            raise ObjectMissing(f"{tenant_id} has no object {ref}") from None
        except BaseError as error:
            raise ObjectsUnavailable(f"an object of {tenant_id} could not be read: {type(error).__name__}") from error
        if sha256(data) != ref:
            raise ObjectMissing(f"the object {ref} of {tenant_id} does not match its hash")
        return data


def open_objects(url: str) -> StoredObjects:
    """Objects at `file:///DIR`, `gs://BUCKET[/PREFIX]` or `memory://`. Raises ValueError for another URL."""
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return StoredObjects(MemoryStore())
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return StoredObjects(LocalStore(Path(unquote(parts.path)), mkdir=True))
    if parts.scheme == "gs" and parts.netloc:
        return StoredObjects(GCSStore(parts.netloc, prefix=parts.path.strip("/") or None))
    raise ValueError(f"objects_url must be file:///DIR, gs://BUCKET/PREFIX or memory://, not {parts.scheme}://…")


def _key(tenant_id: str, ref: str) -> str:
    if not _TENANT.fullmatch(tenant_id) or not _REF.fullmatch(ref):
        raise ObjectMissing("an object is named by a tenant and a SHA-256 in lower-case hexadecimal")
    return f"{tenant_id}/{ref[:2]}/{ref}"

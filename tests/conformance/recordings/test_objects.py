"""Objects under their hash: one suite for every kind of storage that a test can have."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from connectors.recordings.objects import StoredObjects, open_objects
from connectors.recordings.seam import ObjectMissing


@pytest.fixture(params=["memory", "file"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> StoredObjects:
    return open_objects("memory://" if request.param == "memory" else (tmp_path / "new" / "objects").as_uri())


async def test_what_was_put_is_got_under_its_hash(opened: StoredObjects) -> None:
    ref = await opened.put("summit", b"words with times")

    assert ref == hashlib.sha256(b"words with times").hexdigest()
    assert await opened.get("summit", ref) == b"words with times"


async def test_putting_the_same_bytes_again_is_one_object(opened: StoredObjects) -> None:
    refs = await asyncio.gather(*(opened.put("summit", b"the same") for _ in range(20)))

    assert len(set(refs)) == 1
    assert await opened.get("summit", refs[0]) == b"the same"


async def test_an_empty_object_is_an_object(opened: StoredObjects) -> None:
    assert await opened.get("summit", await opened.put("summit", b"")) == b""


async def test_a_tenant_does_not_see_anothers_object(opened: StoredObjects) -> None:
    ref = await opened.put("summit", b"private")

    with pytest.raises(ObjectMissing):
        await opened.get("lakeside", ref)


@pytest.mark.parametrize("ref", ["0" * 64, "../summit/secret", "", "A" * 64])
async def test_what_is_not_there_is_missing(opened: StoredObjects, ref: str) -> None:
    with pytest.raises(ObjectMissing):
        await opened.get("summit", ref)


@pytest.mark.parametrize("tenant_id", ["..", "a/b", "", "Summit"])
async def test_a_tenant_is_a_slug_and_never_a_path(opened: StoredObjects, tenant_id: str) -> None:
    with pytest.raises(ObjectMissing):
        await opened.put(tenant_id, b"x")


async def test_objects_in_a_directory_outlive_the_process_that_put_them(tmp_path: Path) -> None:
    ref = await open_objects(tmp_path.as_uri()).put("summit", b"kept")

    assert await open_objects(tmp_path.as_uri()).get("summit", ref) == b"kept"
    assert (tmp_path / "summit" / ref[:2] / ref).read_bytes() == b"kept"


async def test_an_object_that_was_damaged_is_missing(tmp_path: Path) -> None:
    objects = open_objects(tmp_path.as_uri())
    ref = await objects.put("summit", b"whole")
    (tmp_path / "summit" / ref[:2] / ref).write_bytes(b"who")

    with pytest.raises(ObjectMissing, match="hash"):
        await objects.get("summit", ref)


@pytest.mark.parametrize("url", ["/var/objects", "s3://bucket", "file://elsewhere/dir", "gs://", ""])
def test_an_address_that_is_none_is_refused_with_what_would_be_one(url: str) -> None:
    with pytest.raises(ValueError, match="gs://BUCKET/PREFIX"):
        open_objects(url)

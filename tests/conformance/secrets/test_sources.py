"""Reading secrets from the environment, from files and from Secret Manager through Google's own client."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from connectors.google_channels import GoogleChannels
from connectors.secrets.seam import SecretMissing, SecretUnavailable
from connectors.secrets.sources import Environment, Files, SecretManager
from tests.conformance.secrets.manager import Manager

NAME = "projects/leadbus/secrets/callrail-summit/versions/3"
VALUE = b"s3cr3t-value"


@pytest.fixture
async def manager() -> AsyncIterator[Manager]:
    running = Manager()
    running.versions[NAME] = VALUE
    yield running
    await running.stop()


@pytest.fixture
async def source(manager: Manager) -> AsyncIterator[SecretManager]:
    opened = SecretManager(GoogleChannels(await manager.start()))
    yield opened
    await opened.close()


async def test_an_environment_variable_is_read() -> None:
    source = Environment({"CALLRAIL_KEY": "abc", "EMPTY": ""})

    assert await source.read("env://CALLRAIL_KEY") == "abc"
    for name in ("env://NOT_THERE", "env://EMPTY"):
        with pytest.raises(SecretMissing, match=name.removeprefix("env://")):
            await source.read(name)


async def test_a_file_is_read_anew_each_time_and_without_its_last_line_break(tmp_path: Path) -> None:
    path = tmp_path / "a key"
    path.write_bytes(b"first\r\n")
    assert await Files().read(path.as_uri()) == "first"

    path.write_bytes(b" second \n\n")
    assert await Files().read(path.as_uri()) == " second \n"


async def test_a_file_without_text_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")

    for name in ("empty", "binary", "not-there"):
        with pytest.raises(SecretMissing, match=name):
            await Files().read((tmp_path / name).as_uri())


async def test_a_directory_is_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(SecretUnavailable):
        await Files().read(tmp_path.as_uri())


async def test_a_version_of_secret_manager_is_read(source: SecretManager, manager: Manager) -> None:
    assert await source.read(f"gcp://{NAME}") == VALUE.decode()
    assert manager.routed == [f"name={NAME.replace('/', '%2F')}"] or manager.routed == [f"name={NAME}"]


async def test_a_version_that_is_not_there_or_disabled_is_missing(source: SecretManager, manager: Manager) -> None:
    with pytest.raises(SecretMissing, match="NOT_FOUND"):
        await source.read("gcp://projects/leadbus/secrets/none/versions/1")

    manager.refusals = [grpc.StatusCode.FAILED_PRECONDITION]
    with pytest.raises(SecretMissing, match="FAILED_PRECONDITION"):
        await source.read(f"gcp://{NAME}")


async def test_a_passing_fault_is_not_noticed(source: SecretManager, manager: Manager) -> None:
    manager.refusals = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]

    assert await source.read(f"gcp://{NAME}") == VALUE.decode()
    assert manager.calls == 3


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED])
async def test_a_fault_that_stays_is_out_of_reach(
    source: SecretManager, manager: Manager, status: grpc.StatusCode
) -> None:
    manager.refusals = [status] * 10

    with pytest.raises(SecretUnavailable, match=status.name):
        await source.read(f"gcp://{NAME}")


async def test_a_damaged_value_is_never_handed_out(source: SecretManager, manager: Manager) -> None:
    manager.damaged = True

    with pytest.raises(SecretUnavailable, match="damaged") as refusal:
        await source.read(f"gcp://{NAME}")

    assert VALUE.decode() not in str(refusal.value)

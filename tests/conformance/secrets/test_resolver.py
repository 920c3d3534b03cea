"""The cache in front of the sources: one read for many, fresh enough, and there when the manager is not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from connectors.secrets.resolver import Freshness, MappedSecrets, open_secrets, read_mapping
from connectors.secrets.seam import SecretMissing, SecretUnavailable
from connectors.settings import ConnectionSettings

REF = "secret://CALLRAIL_KEY"
ADDRESS = "slow://callrail"
HIDDEN = "s3cr3t-value"


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class Slow:
    """A source whose answer a test decides: a text, or an error to raise. `gate` holds reads back."""

    def __init__(self) -> None:
        self.answer: str | Exception = HIDDEN
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, address: str) -> str:
        self.reads += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        """Nothing is held."""


class Bench:
    """Secrets of one tenant over a slow source and a movable clock."""

    def __init__(self, **freshness: float) -> None:
        self.source, self.clock = Slow(), Clock()
        self.secrets = MappedSecrets(
            {"summit/CALLRAIL_KEY": ADDRESS},
            {"slow": self.source},
            freshness=Freshness(**freshness),
            now=self.clock,
            spread=lambda: 0.5,
        )

    async def get(self) -> str:
        return await self.secrets.get("summit", REF)


async def test_many_readers_at_once_make_one_read() -> None:
    bench = Bench()
    bench.source.gate.clear()
    readers = [asyncio.create_task(bench.get()) for _ in range(50)]
    await asyncio.sleep(0)
    bench.source.gate.set()

    assert await asyncio.gather(*readers) == [HIDDEN] * 50
    assert bench.source.reads == 1


async def test_a_reader_that_is_cancelled_does_not_disturb_the_others() -> None:
    bench = Bench()
    bench.source.gate.clear()
    first, second = asyncio.create_task(bench.get()), asyncio.create_task(bench.get())
    await asyncio.sleep(0)
    first.cancel()
    bench.source.gate.set()

    assert await second == HIDDEN
    assert first.cancelled() or await asyncio.gather(first, return_exceptions=True)
    assert bench.source.reads == 1


async def test_a_value_is_read_again_when_it_is_no_longer_fresh() -> None:
    bench = Bench(value=600.0)
    assert await bench.get() == HIDDEN
    bench.source.answer = "rotated"

    bench.clock.seconds += 599
    assert await bench.get() == HIDDEN
    bench.clock.seconds += 2
    assert await bench.get() == "rotated"
    assert bench.source.reads == 2


async def test_the_last_value_is_served_while_the_manager_is_down() -> None:
    bench = Bench(value=600.0, failure=5.0)
    await bench.get()
    bench.source.answer = SecretUnavailable("UNAVAILABLE")
    bench.clock.seconds += 700

    assert [await bench.get() for _ in range(10)] == [HIDDEN] * 10
    assert bench.source.reads == 2

    bench.source.answer = "rotated"
    bench.clock.seconds += 6
    assert await bench.get() == "rotated"


async def test_the_last_value_is_served_while_the_manager_is_slow() -> None:
    bench = Bench(value=600.0, wait=0.0)
    await bench.get()
    bench.clock.seconds += 700
    bench.source.gate.clear()
    bench.source.answer = "rotated"

    assert await bench.get() == HIDDEN
    bench.source.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert await bench.get() == "rotated"


async def test_a_value_is_not_served_for_ever() -> None:
    bench = Bench(stale=3_600.0)
    await bench.get()
    bench.source.answer = SecretUnavailable("UNAVAILABLE")
    bench.clock.seconds += 3_601

    with pytest.raises(SecretUnavailable):
        await bench.get()


@pytest.mark.parametrize("error", [SecretMissing("NOT_FOUND"), SecretUnavailable("UNAVAILABLE")])
async def test_a_failure_is_remembered_for_a_few_seconds(error: Exception) -> None:
    bench = Bench(failure=5.0)
    bench.source.answer = error

    for _ in range(5):
        with pytest.raises(type(error), match="summit/CALLRAIL_KEY"):
            await bench.get()
    assert bench.source.reads == 1

    bench.clock.seconds += 6
    bench.source.answer = HIDDEN
    assert await bench.get() == HIDDEN


async def test_a_secret_that_was_withdrawn_is_missing_and_not_served_on() -> None:
    bench = Bench(value=600.0)
    await bench.get()
    bench.source.answer = SecretMissing("FAILED_PRECONDITION")
    bench.clock.seconds += 700

    with pytest.raises(SecretMissing):
        await bench.get()


async def test_a_source_that_never_answers_is_given_up() -> None:
    bench = Bench(read=0.0)
    bench.source.gate.clear()

    with pytest.raises(SecretUnavailable, match="no answer in time"):
        await bench.get()


@pytest.mark.parametrize(
    ("tenant", "ref"),
    [("lakeside", REF), ("summit", "secret://OTHER"), ("summit", "env://HOME"), ("summit", "CALLRAIL_KEY"), ("", "")],
)
async def test_only_what_the_operator_mapped_is_read(tenant: str, ref: str) -> None:
    bench = Bench()

    with pytest.raises(SecretMissing, match="secrets file"):
        await bench.secrets.get(tenant, ref)
    assert bench.source.reads == 0


async def test_no_value_is_in_a_repr_or_an_error() -> None:
    bench = Bench()
    await bench.get()
    seen = [repr(bench.secrets), repr(vars(bench.secrets))]
    bench.source.answer = SecretMissing("NOT_FOUND")
    bench.clock.seconds += 7_000
    with pytest.raises(SecretMissing) as missing:
        await bench.get()

    assert not any(HIDDEN in text for text in (*seen, str(missing.value), repr(missing.value)))


def settings(**more: Any) -> ConnectionSettings:
    return ConnectionSettings(
        kafka_bootstrap="127.0.0.1:1", store_url="sqlite:///:memory:", objects_url="memory://", **more
    )


async def test_secrets_are_opened_from_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    mapping = {"summit/A": "env://SUMMIT_A", "summit/B": (tmp_path / "key").as_uri()}
    (tmp_path / "secrets.json").write_text(json.dumps(mapping))

    secrets = open_secrets(settings(secrets_file=tmp_path / "secrets.json"), {"SUMMIT_A": "from the environment"})

    assert await secrets.get("summit", "secret://A") == "from the environment"
    assert await secrets.get("summit", "secret://B") == "from a file"
    await secrets.close()


async def test_without_a_file_there_are_no_secrets() -> None:
    secrets = open_secrets(settings(), {"A": "x"})

    with pytest.raises(SecretMissing):
        await secrets.get("summit", "secret://A")
    await secrets.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not JSON"), ("[]", "JSON object"), ('{"A": "env://A"}', "A: must be"), ('{"t/A": "A"}', "t/A: must be")],
)
def test_a_bad_mapping_says_which_entry_is_bad(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=words):
        read_mapping(path)


def test_an_unknown_scheme_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="vault://"):
        MappedSecrets({"t/A": "vault://x"}, {"env": Slow()})

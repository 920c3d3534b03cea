"""Keeping a recording while it is sent."""

import asyncio
import random

import pytest

from connectors.speech.spool import Spool


@pytest.mark.parametrize("memory", [0, 10_000, 1_000_000], ids=["all on disk", "partly on disk", "in memory"])
async def test_every_part_reads_back_as_it_was_appended(memory: int) -> None:
    data = random.Random(3).randbytes(100_000)
    with Spool(memory) as spool:
        for at in range(0, len(data), 7_001):
            await spool.append(data[at : at + 7_001])

        assert spool.size == len(data)
        parts = await asyncio.gather(*(spool.read(at, 9_999) for at in range(0, len(data), 9_999)))
        assert b"".join(parts) == data
        assert await spool.read(len(data) - 5, 100) == data[-5:]


async def test_what_is_appended_after_a_read_is_read_too() -> None:
    with Spool(4) as spool:
        await spool.append(b"first ")
        assert await spool.read(0, 3) == b"fir"
        await spool.append(b"x")
        await spool.append(b"second")

        assert await spool.read(0, 100) == b"first xsecond"

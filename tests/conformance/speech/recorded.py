"""The six recorded calls and what was said in them, for the tests of the speech seam."""

import json
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any

NAMES = ("angry-customer", "cita-dental", "dental-implant", "roof-leak", "seo-spam", "voicemail-short")


def audio(name: str) -> bytes:
    """The bytes of a file such as `roof-leak.mp3`."""
    return (files("ops.sandbox") / "calls" / name).read_bytes()


def reference(name: str) -> Any:
    """Segments with speakers, times and words."""
    return json.loads((files("ops.sandbox") / "calls" / f"{name}.json").read_text(encoding="utf-8"))


async def chunks(data: bytes, size: int = 8_192) -> AsyncIterator[bytes]:
    """The bytes as they come over a network."""
    for at in range(0, len(data), size):
        yield data[at : at + size]

"""The text that goes with a commit: which log it was, whether its writer had halted, what is finished beyond it.

    1:<bitmap>                                      version 1, read only
    2:<topic id>:<flag>:<form and body>:<check>     version 2
        topic id   as the broker tells it; empty when it cannot
        flag       `h` when the writer had stopped by the dead-letter limits
        form       `b`: bitmap, bit 0 is the committed offset; `r`: runs, for logs with wide gaps
        body       zlib in base64
        check      CRC-32 of the offset and all before it: a text says nothing about another offset than its own

Nothing to tell is the empty text. A daemon that knows version 1 only takes a version 2 for a text that says nothing: in
a rolling upgrade it works on what was finished beyond the commit again, and does not see the flag.

Promises: a text is never longer than its budget; what does not fit is left out from the top, and would be worked on
again. Reading never raises and takes bounded memory: a text that is damaged, foreign, newer or of another offset says
nothing.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

METADATA_BUDGET = 3_800
"""Characters; a broker takes `offset.metadata.max.bytes`, 4,096 unless configured otherwise."""

LARGEST_TOLD = 1 << 18
"""Offsets beyond the commit that a text may describe: a damaged one must not exhaust the memory."""

SPARSE = 20
"""Offsets per finished record from which runs take less room than a bitmap."""

TOPIC_ID = re.compile(r"[\w.~-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Told:
    """What a text says."""

    topic_id: str | None = None
    halted: bool = False
    finished: frozenset[int] = frozenset()
    """Offsets above the committed one."""


NOTHING = Told()


def encode(
    low: int,
    finished: Iterable[int],
    budget: int = METADATA_BUDGET,
    *,
    topic_id: str | None = None,
    halted: bool = False,
) -> str:
    """The text for a commit of `low`, with the offsets finished above it, given in any order."""
    if topic_id is not None and not TOPIC_ID.fullmatch(topic_id):
        topic_id = None
    distances = sorted(offset - low for offset in finished if offset > low)[:LARGEST_TOLD]
    if not distances and topic_id is None and not halted:
        return ""
    head = f"2:{topic_id or ''}:{'h' if halted else ''}:"
    while True:
        text = head + _body(distances)
        text = f"{text}:{_check(low, text)}"
        if len(text) <= budget:
            return text
        if not distances:
            return ""
        # The body shrinks at least about as fast as its content; a twentieth on top saves a round.
        fitting = len(distances) * budget * 19 // (len(text) * 20)
        del distances[min(fitting, len(distances) - 1) :]


def read(low: int, text: str | None) -> Told:
    """What the text of a commit of `low` says."""
    try:
        if not text or len(text) > 1 << 16:
            return NOTHING
        if text.startswith("1:"):
            return Told(finished=_bits(low, _unpack(text[2:])))
        version, topic_id, flag, body, check = text.split(":")
        if version != "2" or check != _check(low, text[: -len(check) - 1]):
            return NOTHING
        return Told(topic_id or None, flag == "h", _finished(low, body))
    except (binascii.Error, zlib.error, ValueError):
        return NOTHING


def decode(low: int, text: str | None) -> frozenset[int]:
    """The offsets finished above `low`, by the text of its commit."""
    return read(low, text).finished


def _check(low: int, text: str) -> str:
    return f"{zlib.crc32(f'{low} {text}'.encode()):08x}"


def _body(distances: list[int]) -> str:
    if not distances:
        return ""
    if distances[-1] >= LARGEST_TOLD or distances[-1] > len(distances) * SPARSE:
        return "r" + _pack(_write_runs(distances))
    bitmap = bytearray(distances[-1] // 8 + 1)
    for distance in distances:
        bitmap[distance >> 3] |= 1 << (distance & 7)
    return "b" + _pack(bytes(bitmap))


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 1)).decode()


def _unpack(packed: str) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(base64.b64decode(packed, validate=True), LARGEST_TOLD)
    if not stream.eof:
        raise ValueError("cut off, or larger than any text of ours")
    return content


def _finished(low: int, body: str) -> frozenset[int]:
    if not body:
        return frozenset()
    if body[0] == "b":
        return _bits(low, _unpack(body[1:]))
    if body[0] == "r":
        return _runs(low, _unpack(body[1:]))
    raise ValueError("no form of ours")


def _bits(low: int, bitmap: bytes) -> frozenset[int]:
    if len(bitmap) * 8 > LARGEST_TOLD + 8:
        raise ValueError("larger than any bitmap of ours")
    return frozenset(
        low + index * 8 + bit for index, byte in enumerate(bitmap) if byte for bit in range(8) if byte >> bit & 1
    ) - {low}


def _write_runs(distances: list[int]) -> bytes:
    """Pairs of LEB128 numbers: how far a run begins beyond the end of the last, and how long it is beyond one."""
    runs: list[list[int]] = []
    for distance in distances:
        if runs and distance == runs[-1][1] + 1:
            runs[-1][1] = distance
        else:
            runs.append([distance, distance])
    written = bytearray()
    end = 0
    for first, last in runs:
        for number in (first - end, last - first):
            while number > 127:
                written.append(number & 127 | 128)
                number >>= 7
            written.append(number)
        end = last
    return bytes(written)


def _runs(low: int, written: bytes) -> frozenset[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in written:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
        elif shift > 63:
            raise ValueError("no offset is that large")
    if shift or len(numbers) % 2:
        raise ValueError("cut off")
    finished: set[int] = set()
    end = low
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        begin, end = end + gap, end + gap + length
        if len(finished) + length >= LARGEST_TOLD:
            raise ValueError("more than any text of ours tells")
        finished.update(range(begin, end + 1))
    finished.discard(low)
    return frozenset(finished)

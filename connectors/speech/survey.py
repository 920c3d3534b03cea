"""Learns length, channels and places to cut from a recording while it streams by, holding a few KiB of it.

An MP3 says its length nowhere reliable (a variable bit rate may come without the index that would), and sending one
that is too long for a method is refused in the same way as noise. So every frame header is walked: four bytes looked
at per frame, a quarter of a second for a four-hour call, spread over its chunks. WAV says it in its header.
"""

from dataclasses import dataclass

from connectors.speech.audio_header import (
    Container,
    MpegFrame,
    WavHeader,
    container_of,
    id3_length,
    mpeg_frame,
    wav_header,
)

HEAD_BYTES = 64 * 1024
_CUT_EVERY_SECONDS = 1.0
_FRAMES_OF_A_RECORDING = 2
"""Fewer frames than this are noise that happens to begin like one."""


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What is known of a recording. `cuts` are (byte offset, seconds) at which a piece may begin; None is unknown."""

    container: Container | None
    size: int
    seconds: float | None = None
    channels: int | None = None
    sample_rate: int | None = None
    wav: WavHeader | None = None
    cuts: tuple[tuple[int, float], ...] = ()


class Survey:
    """Feed it the chunks of one recording in order, then ask for `facts`."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._size = 0
        self._walk = FrameWalk()

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        self._size += len(chunk)
        if len(self._head) < HEAD_BYTES:
            self._head += chunk[: HEAD_BYTES - len(self._head)]
        self._walk.feed(chunk)

    def facts(self) -> AudioFacts:
        """What was learned; container None when this is no audio that the vendor knows."""
        head = bytes(self._head)
        container = container_of(head)
        if container == "wav":
            return self._wav_facts(wav_header(head))
        if container == "mp3":
            walk = self._walk
            if walk.first is None or walk.frames < _FRAMES_OF_A_RECORDING:
                return AudioFacts(None, self._size)
            return AudioFacts(
                "mp3", self._size, walk.seconds, walk.first.channels, walk.first.sample_rate, cuts=tuple(walk.cuts)
            )
        return AudioFacts(container, self._size)

    def _wav_facts(self, header: WavHeader | None) -> AudioFacts:
        if header is None:
            return AudioFacts("other", self._size)
        there = self._size - header.data_offset
        # A writer that could not seek back leaves 0 or the largest number.
        samples = min(header.data_size, there) if header.data_size else there
        seconds = samples / header.byte_rate
        return AudioFacts("wav", self._size, seconds, header.channels, header.sample_rate, header)


class FrameWalk:
    """Walks MPEG frames over chunk borders; after bytes that are no frame it looks for the next one."""

    def __init__(self) -> None:
        self.first: MpegFrame | None = None
        self.frames = 0
        self.seconds = 0.0
        self.cuts: list[tuple[int, float]] = []
        self._rest = b""
        self._rest_at = 0
        self._next = -1
        self._known: dict[bytes, MpegFrame | None] = {}

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        data = self._rest + chunk
        if self._next < 0:
            if len(data) < 10:
                self._rest = data
                return
            self._next = id3_length(data)
        at = self._next - self._rest_at
        while at + 4 <= len(data):
            frame = self._frame(data[at : at + 4])
            if frame is None:
                found = data.find(b"\xff", at + 1)
                at = found if found >= 0 else len(data)
                continue
            self._count(frame, self._rest_at + at)
            at += frame.length
        kept = min(at, len(data))
        self._rest, self._rest_at, self._next = data[kept:], self._rest_at + kept, self._rest_at + at

    def _frame(self, header: bytes) -> MpegFrame | None:
        if header not in self._known:
            self._known[header] = mpeg_frame(header) if header[0] == 0xFF else None
        return self._known[header]

    def _count(self, frame: MpegFrame, offset: int) -> None:
        self.first = self.first or frame
        if not self.cuts or self.seconds - self.cuts[-1][1] >= _CUT_EVERY_SECONDS:
            self.cuts.append((offset, self.seconds))
        self.frames += 1
        self.seconds += frame.seconds

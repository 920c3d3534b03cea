"""Reads the headers of WAV and MPEG audio: channels, sample rate, frame length, without decoding a sample.

Why here: how a recording must be sent depends on its length and channels (connectors/speech/plan.py), and the vendor
tells neither in advance. Containers that the vendor decodes but that are not read here are named by their first bytes,
with length and channels unknown. Pure; returns None for what is not such a header.
Sources: RIFF WAVE (Microsoft, mmreg.h); ISO/IEC 11172-3 and 13818-3 for frame headers; id3.org for ID3v2.
"""

import struct
from dataclasses import dataclass
from typing import Literal

Container = Literal["wav", "mp3", "other"]

_STARTS_OF_OTHERS = (b"fLaC", b"OggS", b"#!AMR", b"\x1aE\xdf\xa3")
"""FLAC, Ogg Opus, AMR, WebM Opus; MP4 and its kin carry their mark from the fifth byte on."""

_KBPS = {
    ("1", 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    ("1", 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    ("1", 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    ("2", 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    ("2", 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    ("2", 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_MPEG_1 = 3
_MONO = 3


@dataclass(frozen=True, slots=True)
class WavHeader:
    """`form` is the body of the `fmt ` chunk; offsets and sizes in bytes; `data_size` as the header claims it."""

    channels: int
    sample_rate: int
    byte_rate: int
    block: int
    form: bytes
    data_offset: int
    data_size: int

    def for_data(self, size: int) -> bytes:
        """A header of the same form for `size` bytes of samples."""
        chunks = b"WAVE" + b"fmt " + struct.pack("<I", len(self.form)) + self.form + b"data" + struct.pack("<I", size)
        return b"RIFF" + struct.pack("<I", len(chunks) + size) + chunks


@dataclass(frozen=True, slots=True)
class MpegFrame:
    """One frame: its whole length in bytes, and how long it sounds."""

    channels: int
    sample_rate: int
    length: int
    seconds: float


def container_of(head: bytes) -> Container | None:
    """What the first bytes (12 or more) announce; None for what the vendor's automatic decoding does not know."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:3] == b"ID3" or mpeg_frame(head[:4]) is not None:
        return "mp3"
    if head.startswith(_STARTS_OF_OTHERS) or head[4:8] == b"ftyp":
        return "other"
    return None


def wav_header(head: bytes) -> WavHeader | None:
    """The header of a WAV file, when `head` reaches to its samples."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    form = b""
    at = 12
    while at + 8 <= len(head):
        name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        at += 8
        if name == b"data":
            return _wav(form, at, size)
        if name == b"fmt ":
            form = head[at : at + size]
        # Chunks begin at even offsets.
        at += size + (size & 1)
    return None


def _wav(form: bytes, data_offset: int, data_size: int) -> WavHeader | None:
    if len(form) < 16:
        return None
    _, channels, sample_rate, byte_rate, block = struct.unpack_from("<HHIIH", form)
    if not (channels and sample_rate and byte_rate and block):
        return None
    return WavHeader(channels, sample_rate, byte_rate, block, form, data_offset, data_size)


def id3_length(head: bytes) -> int:
    """Bytes of the ID3v2 tag at the beginning, which precedes the first frame; 0 when there is none."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def mpeg_frame(header: bytes) -> MpegFrame | None:
    """The frame that these four bytes begin; None for other bytes, and for the free bit rate, which hides it."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    kbps_at, rate_at, padded = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or kbps_at in (0, 15) or rate_at == 3:
        return None
    kbps = _KBPS["1" if version == _MPEG_1 else "2", layer][kbps_at - 1]
    rate = _SAMPLE_RATES[version][rate_at]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != _MPEG_1 else 1152
    slot = 4 if layer == 1 else 1
    length = (samples // 8 * kbps * 1000 // rate // slot + padded) * slot
    return MpegFrame(1 if header[3] >> 6 == _MONO else 2, rate, length, samples / rate)

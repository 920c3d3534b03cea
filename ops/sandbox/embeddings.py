"""Vectors for texts, so that texts with the same words are near: hashed words and word pairs, of unit length.

Deterministic over machines and runs (hashes are sha256), and no model: near means shared words, not shared meaning.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from itertools import pairwise

_WORD = re.compile(r"[\w']+")
_STOP_WORDS = "a an and are at be but by for from i in is it me my of on or our so that the this to we with you"
_STOP = frozenset(_STOP_WORDS.split(" "))


def tokens(text: str) -> int:
    """Tokens as the sandbox counts them: 1.3 for a word, rounded up."""
    return math.ceil(len(text.split()) * 1.3)


def vector(text: str, dimensions: int) -> list[float]:
    """A unit vector. A text without words gets a fixed direction, since a zero vector has no cosine."""
    words = [word for word in _WORD.findall(text.lower()) if word not in _STOP]
    features = Counter(words)
    for left, right in pairwise(words):
        features[f"{left} {right}"] += 1
    values = [0.0] * dimensions
    for feature, count in sorted(features.items()):
        digest = hashlib.sha256(feature.encode()).digest()
        place = int.from_bytes(digest[:4], "big") % dimensions
        sign = 1.0 if digest[4] & 1 else -1.0
        # Words that are repeated count less each time; pairs count half, they say less than words.
        values[place] += sign * (1 + math.log(count)) * (0.5 if " " in feature else 1.0)
    length = math.sqrt(sum(value * value for value in values))
    if length == 0:
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / length for value in values]

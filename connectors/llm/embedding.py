"""The numbers around an embedding: cutting a text to the model's input, and giving a vector unit length. Pure.

The models count tokens, which only they can do exactly; four characters of Latin script make about one, other scripts
about one a character. The estimate errs on the long side, and the model is told to cut what is still too long.
Shortened vectors of gemini-embedding-001 are not of unit length, and a dot product needs that.
"""

import math
from collections.abc import Sequence

_LATIN_CHARACTERS_PER_TOKEN = 4
_LAST_LATIN = 0x24F


def cut_to_tokens(text: str, most: int) -> str:
    """The beginning of the text, of about `most` tokens, ending at a blank where there is one nearby."""
    quarters = 0
    for at, character in enumerate(text):
        quarters += 1 if ord(character) <= _LAST_LATIN else _LATIN_CHARACTERS_PER_TOKEN
        if quarters > most * _LATIN_CHARACTERS_PER_TOKEN:
            blank = text.rfind(" ", at - 40 if at > 40 else 0, at)
            return text[: blank if blank > 0 else at]
    return text


def unit(values: Sequence[float]) -> tuple[float, ...]:
    """The vector at length 1. Raises ValueError when it has no direction."""
    length = math.sqrt(math.fsum(value * value for value in values))
    if not length or not math.isfinite(length):
        raise ValueError("a vector without a direction cannot be compared")
    return tuple(value / length for value in values)

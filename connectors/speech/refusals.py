"""Which error of the seam a failed request is, by its gRPC status, after google_calls.py has tried again.

INVALID_ARGUMENT is the one status that stands for two things, a wrong region, model or language and bytes that cannot
be decoded, and carries no other mark: there the words decide. Waiting for a person is the wrong answer to noise, and
giving a recording up is the wrong answer to a misspelt region, so neither can be the answer to both.
"""

import re

from connectors.google_calls import Status, status_of, words_of
from connectors.google_channels import NoCredentials
from connectors.speech.seam import NotAudio, SpeechError, SpeechMisconfigured, SpeechQuota, SpeechUnavailable
from connectors.speech.survey import AudioFacts

BROKEN_OFF = (Status.ABORTED, Status.OUT_OF_RANGE)
"""How the vendor ends a stream that is too fast or too long."""
FEATURE_REFUSED = (Status.INVALID_ARGUMENT, Status.NOT_FOUND, Status.UNIMPLEMENTED, Status.FAILED_PRECONDITION)
"""How a location may refuse a feature that another offers."""

_MISCONFIGURED = (
    Status.NOT_FOUND,
    Status.PERMISSION_DENIED,
    Status.UNAUTHENTICATED,
    Status.FAILED_PRECONDITION,
    Status.UNIMPLEMENTED,
)
_ABOUT_THE_REQUEST = re.compile(r"\b(model|location|region|recognizer|language|feature|config)", re.IGNORECASE)


def seam_error(error: Exception, facts: AudioFacts) -> SpeechError:
    """What the caller can do about it."""
    if isinstance(error, NoCredentials):
        return SpeechMisconfigured(str(error))
    status, words = status_of(error), words_of(error)
    if status is Status.RESOURCE_EXHAUSTED:
        return SpeechQuota(words)
    if status in _MISCONFIGURED:
        return SpeechMisconfigured(words)
    if status is Status.INVALID_ARGUMENT:
        # One status for a wrong region and for noise: only the words tell them apart, and nothing else does.
        return SpeechMisconfigured(words) if _ABOUT_THE_REQUEST.search(words) else NotAudio(words)
    if status in BROKEN_OFF and facts.seconds is None:
        return NotAudio(f"{words} (its length is not known; beyond five minutes only WAV and MP3 can be cut)")
    return SpeechUnavailable(words)

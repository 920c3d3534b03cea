"""The gateway's answers: accepted, refused (RFC 9457), and the pages a browser sees.

An answer never repeats a body, a key, a digest or a secret, and unknown endpoint and wrong source read alike.
"""

import re
from dataclasses import dataclass

from schemas import codec
from schemas.api import PROBLEM_CONTENT_TYPE

Headers = list[tuple[str, str]]

_JSON: Headers = [("content-type", "application/json")]
_HTML: Headers = [("content-type", "text/html; charset=utf-8"), ("x-content-type-options", "nosniff")]
_TEXT: Headers = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")]
_THANKS = (
    b'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Thank you</title>'
    b'<meta name="viewport" content="width=device-width"></head>'
    b"<body><h1>Thank you</h1><p>We have your message and will be in touch.</p></body></html>"
)
_LOCATION = re.compile(r"https?://[\x21-\x7e]{1,2000}")

TITLES = {
    400: "Bad request",
    401: "Not authentic",
    403: "Not allowed",
    404: "No such endpoint",
    405: "Method not allowed",
    408: "Request took too long",
    413: "Body too large",
    415: "Unsupported body",
    503: "Not available now",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `reason` is a short code for metrics, empty when all went well."""

    status: int
    headers: Headers
    body: bytes
    reason: str = ""


def accepted(request_ids: list[str]) -> Answer:
    """202: the broker has it."""
    return Answer(202, _JSON, codec.dumps({"request_ids": request_ids}))


def ignored(reason: str) -> Answer:
    """200: understood, and nobody's lead."""
    return Answer(200, _JSON, codec.dumps({"request_ids": [], "ignored": reason}))


def plain(text: str) -> Answer:
    """200 with the text that a vendor wants to read when it tries a URL."""
    return Answer(200, _TEXT, text.encode(errors="replace"))


def thanks(redirect_to: str | None) -> Answer:
    """What a browser gets for a form: the tenant's own page where one is set, else a small one."""
    if redirect_to and _LOCATION.fullmatch(redirect_to):
        return Answer(303, [("location", redirect_to), *_HTML], b"")
    return Answer(200, _HTML, _THANKS)


def problem(
    status: int, reason: str, detail: str, *, retry_after: int | None = None, headers: Headers | None = None
) -> Answer:
    """A refusal: what is wrong, and what to do."""
    body = codec.dumps({"type": "about:blank", "title": TITLES[status], "status": status, "detail": detail})
    head = [("content-type", PROBLEM_CONTENT_TYPE), *(headers or [])]
    if retry_after is not None:
        head.append(("retry-after", str(retry_after)))
    return Answer(status, head, body, reason)


def no_endpoint() -> Answer:
    """404, the same for an unknown key, a key of another source and a disabled endpoint."""
    return problem(404, "no_endpoint", "There is no such endpoint. Check the webhook URL.")


def not_post() -> Answer:
    """405, where only POST is answered."""
    return problem(405, "method", "Webhooks are sent with POST.", headers=[("allow", "POST")])


def unavailable(reason: str, detail: str, retry_after: int = 5) -> Answer:
    """503: our own trouble; the same request may be sent again."""
    return problem(503, reason, detail, retry_after=retry_after)

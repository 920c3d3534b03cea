"""What the gateway says of itself at its `/readyz`."""

import json
import urllib.error
import urllib.request
from typing import Any

from ops.status.facts import GatewayFacts

ANSWER_SECONDS = 5.0
LARGEST = 64 * 1024


def look_at_gateway(url: str) -> GatewayFacts:
    """Ask once; OSError when nobody answers. ValueError for what is no http address."""
    base = url.rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise ValueError(f"{url} is no address of a gateway; say http://HOST:PORT")
    try:
        with urllib.request.urlopen(f"{base}/readyz", timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            ready, body = True, _json(answer.read(LARGEST))
    except urllib.error.HTTPError as error:
        ready, body = False, _json(error.read(LARGEST))
    reason = body.get("detail") or body.get("reason")
    spool = body.get("spool")
    return GatewayFacts(base, ready, str(reason) if reason else None, spool if isinstance(spool, dict) else None)


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

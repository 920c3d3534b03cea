"""URLs as vendors sign them: with a port or without, followed by a form's parameters or vouching for a JSON body.

Source: twilio/twilio-python `twilio/request_validator.py`; Square and HubSpot sign the URL as it is configured with
them. Behind a proxy that is our public URL, never the one that the request line shows.
"""

import hashlib
import hmac
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlsplit, urlunsplit

FORM = "application/x-www-form-urlencoded"
_PORTS = {"https": 443, "http": 80}


def spellings(url: str) -> list[str]:
    """The URL as it is, then without its port or with the usual one; nothing for an URL that is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return []
    if not parts.hostname:
        return []
    other = parts.hostname if port is not None else f"{parts.hostname}:{_PORTS.get(parts.scheme, 443)}"
    return [url, urlunsplit(SplitResult(parts.scheme, other, parts.path, parts.query, parts.fragment))]


def parameters_of(body: bytes, content_type: str, url: str) -> bytes | None:
    """A form's names and values, sorted and each pair once; nothing for another body whose hash the query tells."""
    if content_type.partition(";")[0].strip().lower() == FORM:
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=False, max_num_fields=1_000)
        except ValueError:
            return None
        return "".join(name + value for name, value in sorted(set(pairs))).encode(errors="surrogatepass")
    told = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[0]
    if not hmac.compare_digest(told.lower().encode(), hashlib.sha256(body).hexdigest().encode()):
        return None
    return b""

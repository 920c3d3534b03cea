"""multipart/form-data without files (RFC 7578): names and values of a browser's form.

Raises `Refused` (415) for a file, because bytes of files have no place on the bus, and `Unreadable` for a body that
is not what its content type says. A file input left empty (an empty file name and no bytes) is passed over.
"""

import re
from typing import Any

from gateway.sources.seam import Refused, Unreadable

MOST_PARTS = 200
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(r';\s*name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILE = re.compile(r';\s*filename\*?=("?)([^";\r\n]*)', re.IGNORECASE)


def read_multipart(body: bytes, content_type: str) -> dict[str, Any]:
    """Names to values, in the order sent; the repeated ones become lists."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise Unreadable("boundary_missing")
    mark = b"--" + (match[1] or match[2]).encode(errors="replace")
    parts = (b"\r\n" + body).split(b"\r\n" + mark, MOST_PARTS + 2)
    if len(parts) > MOST_PARTS + 1:
        raise Unreadable("too_many_fields")
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise Unreadable("multipart_incomplete")
    found: dict[str, Any] = {}
    for part in parts[1:-1]:
        head, blank, value = part.partition(b"\r\n\r\n")
        if not blank:
            raise Unreadable("multipart_part_without_headers")
        name = _field_name(head.decode(errors="replace"), value)
        if name is not None:
            add_field(found, name, value.decode(errors="replace").strip())
    return found


def _field_name(head: str, value: bytes) -> str | None:
    """The part's name; None for a file input left empty."""
    line = next((x for x in head.split("\r\n") if x.lower().startswith("content-disposition:")), "")
    file = _FILE.search(line)
    if file is not None:
        if file[2] or value:
            raise Refused("file_refused", "Files cannot be sent with this form; leave them out.", status=415)
        return None
    name = _NAME.search(line)
    if name is None:
        raise Unreadable("multipart_part_without_name")
    return name[1].replace('\\"', '"').replace("%22", '"')


def add_field(found: dict[str, Any], name: str, value: str) -> None:
    """Add a form's field; the second of a name makes a list."""
    if name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]

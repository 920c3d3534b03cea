"""Opens the store that a URL names.

    sqlite:///PATH                              one file on this machine (four slashes for an absolute path)
    spanner://PROJECT/INSTANCE/DATABASE         Cloud Spanner, or the emulator that SPANNER_EMULATOR_HOST names
    spanner://PROJECT/INSTANCE/DATABASE?emulator=HOST:PORT

Opening reads and writes nothing: the first call connects, so trouble with the place is `Unavailable` from there. Only
the implementation that is asked for is imported.
"""

from urllib.parse import parse_qs, unquote, urlsplit

from connectors.store.seam import FullStore, Invalid

FORMS = "sqlite:///PATH or spanner://PROJECT/INSTANCE/DATABASE"


def open_store(url: str, *, create: bool = False) -> FullStore:
    """The store at `url`; `Invalid` when it is not a store's URL. Close it when done.

    `create` makes a missing instance and database, on the Spanner emulator only: real ones are made by whoever pays
    for them. A SQLite file is always made when missing; its folder must be there.
    A store in memory is none: it would not be shared, nor outlive the process.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/") and rest != "/:memory:":
        from connectors.store.sqlite.store import SqliteStore

        return SqliteStore(rest[1:])
    parts = urlsplit(url)
    path = [unquote(part) for part in parts.path.strip("/").split("/")]
    if scheme == "spanner" and parts.netloc and len(path) == 2 and all(path):
        from connectors.store.spanner.store import SpannerStore

        [emulator] = parse_qs(parts.query).get("emulator", [None])
        return SpannerStore(parts.netloc, path[0], path[1], emulator=emulator, create=create)
    raise Invalid(f"store URL must be {FORMS}")

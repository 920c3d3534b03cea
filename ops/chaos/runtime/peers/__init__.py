"""The same kill for others' runtimes: programs that are run by the Python of the peer's own environment."""

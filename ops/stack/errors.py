"""What can go wrong with a part of the stack, named for what the caller can do about it.

StackError
├── PartUnavailable   this machine lacks something: install what the message names (tests may skip)
└── PartFailed        the part was there but did not come up or died: read the log lines in the message
"""


class StackError(Exception):
    """Any trouble with a part of the stack."""


class PartUnavailable(StackError):
    """The part cannot be had on this machine; the message says what to install or set."""


class PartFailed(StackError):
    """The part was started and did not become ready, or died; the message ends with its last log lines."""

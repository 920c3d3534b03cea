"""What is used of Google's client. Much of it carries no types, so that it is `Any` here and checked by the suite."""

from typing import Any, Final

from google.auth import credentials as _credentials
from google.cloud import spanner_v1 as _spanner

AsyncClient: Final[Any] = _spanner.AsyncClient
AnonymousCredentials: Final[Any] = _credentials.AnonymousCredentials
KeyRange: Final[Any] = _spanner.KeyRange
KeySet: Final[Any] = _spanner.KeySet
COMMIT_TIMESTAMP: Final[Any] = _spanner.COMMIT_TIMESTAMP
param_types: Final[Any] = _spanner.param_types

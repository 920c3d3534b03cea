"""Which credentials the sandbox takes, and whose account each one opens.

Any token that starts with `sandbox-<vendor>-` opens an account of its own, named by the rest of the token:
`sandbox-hubspot-summit` is the HubSpot portal "summit". So two tenants never see each other's records, and no
set-up step is needed. A caller may hand in a table of its own instead. Everything else is unknown here, and the
vendor modules answer it with the vendor's own 401.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final

VENDORS: Final = ("google", "hubspot", "salesforce", "pipedrive", "sendgrid", "callrail")


def token_for(vendor: str, account: str = "token") -> str:
    """The sandbox credential that opens `account` at `vendor`: `sandbox-<vendor>-<account>`."""
    return f"sandbox-{vendor}-{account}"


def client_secret_for(account: str) -> str:
    """The OAuth client secret that goes with the client id `sandbox-salesforce-<account>`."""
    return f"sandbox-secret-{account}"


@dataclass(frozen=True)
class Credentials:
    """The sandbox's answer to "who is this?".

    tokens: vendor -> token -> account, for fixed credentials.
    open_prefix: whether every `sandbox-<vendor>-<account>` token is taken as well.
    """

    tokens: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    open_prefix: bool = True

    def account(self, vendor: str, token: str) -> str | None:
        """The account that `token` opens at `vendor`, or None when the vendor would not know it."""
        found: str | None = None
        for known, account in self.tokens.get(vendor, {}).items():
            if compare_digest(known.encode(), token.encode()):
                found = account
        if found is not None:
            return found
        prefix = token_for(vendor, "")
        if self.open_prefix and token.startswith(prefix):
            # Access tokens issued by the OAuth door carry a serial number behind an exclamation mark.
            return token.removeprefix(prefix).split("!", 1)[0] or None
        return None

    def account_of_client(self, vendor: str, client_id: str, client_secret: str) -> str | None:
        """The account of an OAuth client-credentials pair, or None."""
        account = self.account(vendor, client_id)
        if account is None or not compare_digest(client_secret_for(account).encode(), client_secret.encode()):
            return None
        return account

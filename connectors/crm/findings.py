"""A connector's error, said as something `validate_connection` found, with what a person can do about it."""

from connectors.crm.seam import AuthBroken, ConfigBroken, ConnectorError, Finding


def finding_of(error: ConnectorError, *, credential: str, rights: str) -> Finding:
    """`credential` and `rights` name, for a person, what the vendor calls them and where they are set."""
    if isinstance(error, AuthBroken):
        return Finding("auth", str(error), f"Put a working {credential} behind the connector's secret.")
    if isinstance(error, ConfigBroken):
        return Finding("scope", str(error), f"Give the {credential} {rights}.")
    return Finding("unreachable", str(error), "Try again later; if it stays so, check the address in the settings.")

"""Whether a request comes from whom it says: the endpoint's secrets fetched, the source's proof verified.

Promises: at most two secrets of an endpoint are tried, the older only until its overlap ends; an endpoint without
secrets is open only where the source says that its vendor may not sign; a secret that is out of reach is our trouble
and never the sender's (503). What is refused tells which header was looked at and nothing of what was in it.
"""

from datetime import datetime

from structlog.typing import FilteringBoundLogger

from connectors.secrets.seam import SecretError, Secrets
from gateway.problems import Answer, problem, unavailable
from gateway.signatures import Checked, Signed, Verdict, Verifier
from gateway.tenants import Entry


class Authenticity:
    """Checks requests."""

    def __init__(self, secrets: Secrets, log: FilteringBoundLogger) -> None:
        self._secrets = secrets
        self._log = log

    async def refusal(self, entry: Entry, request: Signed, received_at: datetime) -> Answer | None:
        """None when the request is authentic, or need not prove it."""
        verifier = entry.verifier
        if verifier is None or (verifier.optional and not entry.endpoint.secrets):
            return None
        secrets, out_of_reach = await self._live(entry, received_at)
        checked = verifier.verify(request, secrets, received_at.timestamp())
        if checked.verdict is Verdict.GOOD:
            return None
        if checked.verdict is Verdict.WRONG and out_of_reach:
            return unavailable("secret_out_of_reach", "The signature cannot be checked now; send it again.")
        return _refusal(verifier, checked)

    async def _live(self, entry: Entry, at: datetime) -> tuple[list[str], bool]:
        """The secrets that hold at that time, newest first, and whether one of them could not be had."""
        refs = entry.endpoint.secrets
        until = entry.endpoint.overlap_until
        if until is not None and until <= at:
            refs = refs[:1]
        secrets: list[str] = []
        out_of_reach = False
        for ref in refs:
            try:
                secrets.append(await self._secrets.get(entry.tenant_id, ref))
            except SecretError as error:
                out_of_reach = True
                self._log.error("secret not read", endpoint=entry.endpoint.id, error=type(error).__name__)
        return secrets, out_of_reach


def _refusal(verifier: Verifier, checked: Checked) -> Answer:
    where = f"{verifier.kind} {verifier.where}"
    detail = {
        Verdict.MISSING: f"The {where} is missing.",
        Verdict.MALFORMED: f"The {where} is not a signature.",
        Verdict.STALE: f"The signature in the {where} is too old.",
    }.get(checked.verdict, f"The signature in the {where} does not fit.")
    return problem(401, checked.verdict.value, detail)

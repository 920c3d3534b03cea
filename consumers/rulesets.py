"""The compiled rules of every tenant: both halves of the live bundle, compiled once per pair of hashes.

The halves are pinned apart, so either may change alone. A pair that does not compile keeps the last good one in place,
for that tenant alone, and says so. The halves are read one after the other: between the two looks the last pair stays,
so that new rules never meet connectors and offices of before.
"""

from dataclasses import dataclass, field

import structlog

from connectors.bundles.live import LiveBundles
from rules.engine import CompiledBundle, Uncompilable, compile_bundle
from schemas.rulefile import RulesBundle
from schemas.tenant import IntakeBundle


@dataclass(slots=True)
class RuleSets:
    """Compiled bundles by tenant."""

    intake: LiveBundles[IntakeBundle]
    rules: LiveBundles[RulesBundle]
    _compiled: dict[str, tuple[IntakeBundle, RulesBundle, CompiledBundle]] = field(default_factory=dict)

    @property
    def loaded(self) -> bool:
        """Whether both halves of every tenant have been looked at."""
        return self.intake.loaded and self.rules.loaded

    def get(self, tenant_id: str) -> CompiledBundle | None:
        """The tenant's rules; None for a tenant that is not known, or whose first bundle does not compile."""
        intake, rules = self.intake.get(tenant_id), self.rules.get(tenant_id)
        if intake is None or rules is None:
            self._compiled.pop(tenant_id, None)
            return None
        known = self._compiled.get(tenant_id)
        if known is not None and known[0] is intake and known[1] is rules:
            return known[2]
        if self.intake.sequence(tenant_id) != self.rules.sequence(tenant_id):
            return known[2] if known else None
        try:
            compiled = compile_bundle(intake, rules)
        except Uncompilable as error:
            log = structlog.get_logger("leadbus.rules")
            log.error("bundle_does_not_compile", tenant=tenant_id, error=str(error))
            if known is None:
                return None
            compiled = known[2]
        self._compiled[tenant_id] = (intake, rules, compiled)
        return compiled

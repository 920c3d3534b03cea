"""What a folder says that does not fit together: names that nothing has, and rules that cannot decide.

Every finding has the place and what to do. Conditions are looked at in `check_conditions`; here are references:
connectors, mappings, pools, offices, the facts that mappings and mails read, ids, and the fallback of each phase.
A folder without findings compiles, and `decide` finds a rule for every event. Pure.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from rules.catalogue import FactPath, catalogue, did_you_mean, known
from rules.check_conditions import condition_findings
from rules.findings import Finding, finding
from rules.folder import Positions, TenantFolder
from rules.parsed import Path
from rules.values import ASSIGNED
from schemas.decision import ConnectorKind
from schemas.rulefile import Assign, CreateLead, Mail, ObjectMapping, Rule, UpdateContact
from schemas.tenant import Office, TenantFile

_CRM_KINDS = (ConnectorKind.HUBSPOT, ConnectorKind.SALESFORCE, ConnectorKind.PIPEDRIVE)


def check(folder: TenantFolder) -> list[Finding]:
    """Everything that keeps a readable folder from going live."""
    return sorted(set(_Check(folder).all()))


def check_intake(tenant: TenantFile, offices: Sequence[Office], positions: Positions) -> list[Finding]:
    """Ids that stand twice and offices that do not exist, before the two files become one half."""
    found: list[Finding] = []
    for path, ids in (
        (("tenant", "endpoints"), [e.id for e in tenant.endpoints]),
        (("tenant", "connectors"), [c.id for c in tenant.connectors]),
        (("offices",), [o.id for o in offices]),
    ):
        found += [
            finding(
                positions.place(*path, number, "id"), "id-twice", f"The id {name!r} stands twice.", "Give one a new id."
            )
            for number, name in enumerate(ids)
            if name in ids[:number]
        ]
    known_offices = [o.id for o in offices]
    for number, endpoint in enumerate(tenant.endpoints):
        named: list[tuple[Path, str]] = [(("office",), endpoint.office)] if endpoint.office else []
        if endpoint.office_by:
            named += [(("office_by", "offices", value), name) for value, name in endpoint.office_by.offices.items()]
        found += [
            finding(
                positions.place("tenant", "endpoints", number, *path),
                "unknown-office",
                f"There is no office {name!r}.",
                _one_of(name, known_offices, "Add it to the offices file"),
            )
            for path, name in named
            if name not in known_offices
        ]
    return found


class _Check:
    def __init__(self, folder: TenantFolder) -> None:
        self._intake = folder.intake
        self._rules = folder.rules
        self._at = folder.positions.place
        self._facts: dict[str, FactPath] = catalogue(folder.intake)

    def all(self) -> Iterator[Finding]:
        for number, office in enumerate(self._intake.offices):
            if office.pool and office.pool not in self._rules.pools:
                yield self._unknown(("offices", number, "pool"), "pool", office.pool, self._rules.pools)
        for name, crm in self._rules.crm.items():
            if self._intake.connector(name) is None:
                yield self._unknown(("crm", name, "connector"), "connector", name, self._connectors())
            for mapping, objects in crm.mappings.items():
                yield from self._mapping(("crm", name, "mappings", mapping), objects)
        yield from self._ids_and_fallbacks()
        for number, rule in enumerate(self._rules.rules):
            yield from condition_findings(rule, number, self._at, self._facts, self._rules.lists)
            ids = Counter(step.id or f"step-{n}" for n, step in enumerate(rule.then, start=1))
            for place, step in enumerate(rule.then):
                at: Path = ("rules", number, "then", place)
                if ids[step.id or f"step-{place + 1}"] > 1:
                    yield finding(
                        self._at(*at, "id"), "id-twice", "Two steps of the rule have this id.", "Give one a new id."
                    )
                if isinstance(step, Assign):
                    yield from self._assign(step, at)
                elif isinstance(step, CreateLead | UpdateContact):
                    yield from self._crm_step(step, at)
                elif isinstance(step, Mail):
                    yield from self._mail(step, at)

    def _ids_and_fallbacks(self) -> Iterator[Finding]:
        rules = self._rules.rules
        first: dict[str, int] = {}
        for number, rule in enumerate(rules):
            if first.setdefault(rule.id, number) != number:
                other = self._at("rules", first[rule.id], "id")
                yield finding(
                    self._at("rules", number, "id"),
                    "rule-id-twice",
                    f"The id {rule.id!r} already stands at {other}.",
                    "Give this rule an id of its own.",
                )
            if rule.fallback and not _catches_all(rule):
                yield finding(
                    self._at("rules", number, "fallback"),
                    "fallback-condition",
                    "A fallback has to take everything that is left.",
                    "Write `when: true` and leave out kinds, from, until and mode.",
                )
        for phase in dict.fromkeys(rule.phase for rule in rules):
            own = [n for n, rule in enumerate(rules) if rule.phase is phase]
            fallbacks = [n for n in own if rules[n].fallback]
            if not fallbacks:
                yield finding(
                    self._at("rules", own[-1]),
                    "no-fallback",
                    f"Phase {phase.value} has no fallback: an event that no rule matches would be lost.",
                    f"Add a rule with `phase: {phase.value}`, `fallback: true` and `when: true`.",
                )
            for number in fallbacks[1:]:
                yield finding(
                    self._at("rules", number, "fallback"),
                    "second-fallback",
                    f"Phase {phase.value} already has a fallback; this rule is never reached.",
                    "Keep one of the two.",
                )

    def _mapping(self, at: Path, objects: dict[str, ObjectMapping]) -> Iterator[Finding]:
        for name, mapping in objects.items():
            for number, tied in enumerate(mapping.associate_with):
                if tied not in objects or tied == name or name in objects[tied].associate_with:
                    yield finding(
                        self._at(*at, name, "associate_with", number),
                        "unknown-object",
                        f"{tied!r} is not another object of this mapping that comes before it.",
                        "Name an object of the same mapping, in one direction only.",
                    )
            for remote, origin in mapping.fields.items():
                place = (*at, name, "fields", remote)
                if origin.path is not None:
                    yield from self._path(origin.path, (*place, "path"))
                elif isinstance(origin.value, dict | list):
                    yield finding(
                        self._at(*place, "value"), "bad-constant", "A field takes one value.", "Write text or a number."
                    )

    def _assign(self, step: Assign, at: Path) -> Iterator[Finding]:
        if "." in step.pool:
            yield from self._path(step.pool, (*at, "pool"))
            if step.pool == "office.pool":
                yield from self._every_office_has("pool", at)
        elif step.pool not in self._rules.pools:
            yield self._unknown((*at, "pool"), "pool", step.pool, self._rules.pools)

    def _crm_step(self, step: CreateLead | UpdateContact, at: Path) -> Iterator[Finding]:
        connector = self._intake.connector(step.connector)
        if connector is None:
            yield self._unknown((*at, "connector"), "connector", step.connector, self._connectors())
            return
        if connector.kind not in _CRM_KINDS:
            yield finding(
                self._at(*at, "connector"),
                "wrong-connector",
                f"The connector {connector.id!r} is of kind {connector.kind.value}, which keeps no leads.",
                "Name a CRM connector.",
            )
            return
        crm = self._rules.crm.get(step.connector)
        mappings = crm.mappings if crm else {}
        if step.mapping not in mappings:
            yield self._unknown((*at, "mapping"), "mapping", step.mapping, mappings)
        elif isinstance(step, UpdateContact) and any(o.identity != "contact" for o in mappings[step.mapping].values()):
            yield finding(
                self._at(*at, "mapping"),
                "wrong-mapping",
                "update_contact writes to the person, and this mapping has other objects too.",
                "Use create_lead, or a mapping whose objects all have `identity: contact`.",
            )

    def _mail(self, step: Mail, at: Path) -> Iterator[Finding]:
        connector = self._intake.connector(step.connector)
        if connector is None:
            yield self._unknown((*at, "connector"), "connector", step.connector, self._connectors())
        elif connector.kind is not ConnectorKind.EMAIL:
            yield finding(
                self._at(*at, "connector"),
                "wrong-connector",
                f"The connector {connector.id!r} is of kind {connector.kind.value}, which sends no mail.",
                "Name a connector of kind email.",
            )
        for number, to in enumerate(step.to):
            if "@" not in to:
                yield from self._path(to, (*at, "to", number))
            if to == "office.mailbox":
                yield from self._every_office_has("mailbox", at)
        for number, line in enumerate(step.lines):
            yield from self._path(line.path, (*at, "lines", number, "path"))
        if step.reply_to:
            yield from self._path(step.reply_to, (*at, "reply_to"))

    def _every_office_has(self, name: str, at: Path) -> Iterator[Finding]:
        for number, office in enumerate(self._intake.offices):
            if not getattr(office, name):
                step = self._at(*at)
                yield finding(
                    self._at("offices", number),
                    f"no-{name}",
                    f"The office {office.id!r} has no {name}, which the step at {step} needs.",
                    f"Add `{name}` to the office.",
                )

    def _path(self, path: str, at: Path) -> Iterator[Finding]:
        if path.startswith(ASSIGNED):
            pool = path.removeprefix(ASSIGNED)
            if pool not in self._rules.pools and pool != "office.pool":
                yield self._unknown(at, "pool", pool, self._rules.pools)
        elif known(path, self._facts) is None:
            yield finding(self._at(*at), "unknown-fact", f"There is no fact {path!r}.", did_you_mean(path, self._facts))

    def _connectors(self) -> list[str]:
        return [connector.id for connector in self._intake.connectors]

    def _unknown(self, at: Path, what: str, name: str, names: object) -> Finding:
        existing = [str(n) for n in names] if isinstance(names, list | dict) else []
        where = {"connector": "Add it to tenant.yaml", "mapping": "Add it under crm/", "pool": "Add it under pools/"}
        return finding(
            self._at(*at), f"unknown-{what}", f"There is no {what} {name!r}.", _one_of(name, existing, where[what])
        )


def _catches_all(rule: Rule) -> bool:
    return rule.when is True and not rule.kinds and rule.mode == "live" and not (rule.valid_from or rule.valid_until)


def _one_of(name: str, existing: Sequence[str], otherwise: str) -> str:
    near = get_close_matches(name, existing, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"{otherwise}, or use one of: {', '.join(existing) or 'none yet'}."

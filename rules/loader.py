"""From a tenant folder to its two halves, with everything that is wrong with it at once.

    tenant.yaml                 endpoints, connectors, limits (schemas.tenant.TenantFile)
    offices.yaml | offices.csv  places of business (schemas.tenant.Office)
    crm/<connector>.yaml        field mappings (schemas.rulefile.CrmFile)
    pools/*.yaml                who leads are given to (schemas.rulefile.PoolFile)
    lists/*.csv                 values for `in_list`, in the column `value`; the file's name is the list's name
    rules/*.rules.yaml|json     the rules: by priority, then as they stand in files by name; fallbacks are last

This is the only module of the room that touches a disk, and it only reads. Links are not followed and files that no
one would read are findings, so that nothing is left out in silence. Fails with `BadTenantFolder`.
"""

from collections.abc import Callable
from pathlib import Path as FilePath
from typing import TypeVar

from pydantic import BaseModel

from rules.check import check, check_intake
from rules.findings import BadTenantFolder, Finding, Place, finding
from rules.folder import Positions, TenantFolder
from rules.parsed import Parsed, Path, Unreadable
from rules.schema_findings import validated
from rules.strict_yaml import read
from rules.tables import read_list, read_offices
from schemas.base import FileModel
from schemas.rulefile import CrmFile, PoolFile, Rule, RuleFile, RulesBundle
from schemas.tenant import IntakeBundle, Office, TenantFile

M = TypeVar("M", bound=BaseModel)

_READ_IN = {
    "crm": (".yaml",),
    "pools": (".yaml",),
    "lists": (".csv",),
    "rules": (".rules.yaml", ".rules.json"),
}
_OTHER_FOLDERS = frozenset(("tests", "fixtures", "calendars"))
_MAY_FOLLOW = frozenset(("unknown-mapping", "unknown-pool", "no-fallback"))
"""Findings that may only say that another file could not be read; they are kept back until it can."""


class OfficesFile(FileModel):
    """`offices.yaml`."""

    offices: tuple[Office, ...]


def load_folder(path: FilePath) -> TenantFolder:
    """The folder, readable and checked. Raises `BadTenantFolder` with every finding."""
    folder, findings = _Loader(path).load()
    if folder is None:
        raise BadTenantFolder(findings)
    further = check(folder)
    if findings:
        further = [f for f in further if f.code not in _MAY_FOLLOW]
    if findings or further:
        raise BadTenantFolder([*findings, *further])
    return folder


def check_folder(path: FilePath) -> list[Finding]:
    """Everything that is wrong with a folder; empty when it can go live."""
    try:
        load_folder(path)
    except BadTenantFolder as bad:
        return list(bad.findings)
    return []


class _Loader:
    def __init__(self, root: FilePath) -> None:
        self._root = root
        self._findings: list[Finding] = []
        self._positions = Positions()

    def load(self) -> tuple[TenantFolder | None, list[Finding]]:
        """The folder when its parts could be read, and what is wrong so far."""
        self._unread()
        tenant = self._tenant()
        offices = self._offices()
        crm = self._named("crm", CrmFile, lambda f: f.connector)
        pools = self._named("pools", PoolFile, lambda f: f.pool)
        lists = self._lists()
        rules = self._rules()
        if tenant is None or offices is None:
            return None, self._findings
        clashes = check_intake(tenant, offices, self._positions)
        self._findings += clashes
        if clashes:
            return None, self._findings
        fields = {name: getattr(tenant, name) for name in TenantFile.model_fields}
        intake = IntakeBundle(**fields, offices=offices)
        halves = RulesBundle(tenant=tenant.tenant, rules=tuple(rules), crm=crm, lists=lists, pools=pools)
        return TenantFolder(intake, halves, self._positions), self._findings

    def _unread(self) -> None:
        for entry in sorted(self._root.iterdir()) if self._root.is_dir() else ():
            known = entry.name in _READ_IN or entry.name in _OTHER_FOLDERS or entry.name.startswith(".")
            data = entry.suffix in (".yaml", ".yml", ".json", ".csv")
            if known or entry.name in ("tenant.yaml", "offices.yaml", "offices.csv") or not (entry.is_dir() or data):
                continue
            parts = ", ".join(sorted({*_READ_IN, *_OTHER_FOLDERS}))
            self._say(
                Place(self._name(entry)),
                "unread-file",
                "Nothing reads this.",
                f"Move it: rules and the like lie in {parts}.",
            )

    def _tenant(self) -> TenantFile | None:
        parsed = self._read(self._root / "tenant.yaml")
        if parsed is None:
            return None
        self._positions.roots["tenant",] = (parsed, ())
        return validated(TenantFile, parsed, parsed.value, (), self._findings)

    def _offices(self) -> tuple[Office, ...] | None:
        table, file = self._root / "offices.csv", self._root / "offices.yaml"
        if table.exists() and file.exists():
            self._say(Place("offices.csv"), "two-files", "There is also an offices.yaml.", "Keep one of the two.")
        if table.exists():
            parsed: Parsed | None = read_offices(self._bytes(table), "offices.csv", self._findings)
        elif file.exists():
            parsed = self._read(file)
        else:
            return ()
        if parsed is None:
            return None
        self._positions.roots["offices",] = (parsed, ("offices",))
        checked = validated(OfficesFile, parsed, parsed.value, (), self._findings)
        return checked.offices if checked else None

    def _named(self, part: str, model: type[M], name_of: Callable[[M], str]) -> dict[str, M]:
        found: dict[str, M] = {}
        for file in self._files(part):
            if (parsed := self._read(file)) is None:
                continue
            if (value := validated(model, parsed, parsed.value, (), self._findings)) is None:
                continue
            name = name_of(value)
            if name in found:
                earlier = self._positions.place(part, name).file
                self._say(
                    parsed.where(()), "named-twice", f"{name!r} also stands in {earlier}.", "Merge the two files."
                )
                continue
            found[name] = value
            self._positions.roots[part, name] = (parsed, ())
        return found

    def _lists(self) -> dict[str, tuple[str, ...]]:
        found = {}
        for file in self._files("lists"):
            name = self._name(file)
            found[file.stem] = read_list(self._bytes(file), name, self._findings)
            self._positions.roots["lists", file.stem] = (Parsed(name), ())
        return found

    def _rules(self) -> list[Rule]:
        found: list[tuple[Rule, Parsed, Path]] = []
        for file in self._files("rules"):
            if (parsed := self._read(file)) is None:
                continue
            if checked := validated(RuleFile, parsed, parsed.value, (), self._findings):
                found += [(rule, parsed, ("rules", n)) for n, rule in enumerate(checked.rules)]
        found.sort(key=lambda entry: (entry[0].fallback, -entry[0].priority))
        for number, (_, parsed, inside) in enumerate(found):
            self._positions.roots["rules", number] = (parsed, inside)
        return [rule for rule, _, _ in found]

    def _files(self, part: str) -> list[FilePath]:
        folder = self._root / part
        if not folder.is_dir():
            return []
        files = []
        for file in sorted(folder.iterdir()):
            if file.name.startswith("."):
                continue
            if file.is_file() and file.name.endswith(_READ_IN[part]):
                files.append(file)
            else:
                wanted = " or ".join(f"*{ending}" for ending in _READ_IN[part])
                self._say(
                    Place(self._name(file)), "unread-file", "Nothing reads this file.", f"Name it {wanted}, or move it."
                )
        return files

    def _read(self, file: FilePath) -> Parsed | None:
        if not file.is_file():
            self._say(Place(self._name(file)), "missing-file", "The file is missing.", "Add it.")
            return None
        try:
            return read(self._bytes(file), self._name(file))
        except Unreadable as unreadable:
            self._findings.append(unreadable.finding)
            return None

    def _bytes(self, file: FilePath) -> bytes:
        if file.is_symlink():
            self._say(Place(self._name(file)), "link", "Links are not followed.", "Put the file itself here.")
            return b"{}" if file.suffix != ".csv" else b"value\n"
        with file.open("rb") as opened:
            # One byte past the largest limit is enough to be refused.
            return opened.read(8 * 1_048_576 + 1)

    def _name(self, file: FilePath) -> str:
        return file.relative_to(self._root).as_posix()

    def _say(self, place: Place, code: str, text: str, fix: str) -> None:
        self._findings.append(finding(place, code, text, fix))

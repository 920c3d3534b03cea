"""A tenant folder: every mistake is found at once, with file, line, column and what to do."""

from pathlib import Path

import pytest

from rules.findings import BadTenantFolder
from rules.loader import check_folder, load_folder
from schemas import bundle
from schemas.rulefile import RulesBundle
from schemas.tenant import IntakeBundle
from tests.unit.rules.documents import FOLDER, TENANTS, write_files, write_folder

RULES = FOLDER["rules/acme.rules.yaml"]
TENANT = FOLDER["tenant.yaml"]


def findings(root: Path, **changes: str | None) -> list[str]:
    return [f"{f.file}:{f.line}:{f.column} {f.code}" for f in check_folder(write_folder(root, **changes))]


def test_a_folder_without_mistakes_loads(tmp_path: Path) -> None:
    folder = load_folder(write_folder(tmp_path))
    assert folder.intake.tenant == "acme"
    assert folder.rules.lists == {"zips": ("60601", "01067")}
    assert [rule.id for rule in folder.rules.rules] == ["near", "rest"]


@pytest.mark.parametrize("tenant", ["bright-dental", "northwind-agency", "summit-roofing"])
def test_the_example_tenants_have_no_findings(tenant: str) -> None:
    assert check_folder(TENANTS / tenant) == []


def test_all_mistakes_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    root = write_folder(
        tmp_path,
        tenant__yaml=None,
    )
    write_files(
        root,
        {
            "tenant.yaml": TENANT.replace("kind: email", "kind: fax").replace("source: form\n", "sauce: form\n"),
            "offices.yaml": FOLDER["offices.yaml"].replace("America/Chicago", "Chicago"),
            "pools/team.yaml": "pool: team\nmembers:\n  - {id: ana, weight: 0}\n",
            "lists/zips.csv": "zip\n60601\n",
            "rules/acme.rules.yaml": RULES.replace("when: true", "when: [1]").replace("do: hold", "do: holt"),
        },
    )
    with pytest.raises(BadTenantFolder) as bad:
        load_folder(root)
    told = {(f.file, f.line, f.column, f.code) for f in bad.value.findings}
    assert told == {
        ("tenant.yaml", 4, 5, "missing-field"),
        ("tenant.yaml", 5, 5, "unknown-field"),
        ("tenant.yaml", 12, 11, "bad-value"),
        ("offices.yaml", 4, 16, "bad-value"),
        ("pools/team.yaml", 3, 23, "bad-value"),
        ("lists/zips.csv", 2, 1, "bad-table"),
        ("rules/acme.rules.yaml", 14, 11, "bad-value"),
        ("rules/acme.rules.yaml", 16, 9, "bad-value"),
    }
    assert all(f.text and f.fix for f in bad.value.findings)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("connector: hubspot", "connector: hubspott", "8:38 unknown-connector"),
        ("connector: hubspot", "connector: mailbox", "8:38 wrong-connector"),
        ("mapping: lead", "mapping: laed", "8:56 unknown-mapping"),
        ("zips]", "zipz]", "6:12 unknown-list"),
        ("lead.postal_code", "lead.postcode", "6:23 unknown-fact"),
        ("lead.postal_code", "analysis.summary", "6:23 not-yet-known"),
        ("var: lead.postal_code", "var: [{cat: [lead.zip]}]", "6:23 computed-path"),
        ("in_list: [{var: lead.postal_code}, zips]", "<: [{now: []}, 5]", "6:17 clock"),
        ("in_list: [{var: lead.postal_code}, zips]", "missing: [lead.email]", "6:12 null-fact"),
        ("in_list: [{var: lead.postal_code}, zips]", "in_list: [zips]", "6:12 argument-count"),
        ("in_list: [{var: lead.postal_code}, zips]", "iff: [1, 2]", "6:12 engine-unknown-operator"),
        ("in_list: [{var: lead.postal_code}, zips]", "and: [true, {<: [1]}]", "6:25 engine-argument-count"),
        ("in_list: [{var: lead.postal_code}, zips]", "try: [1, 2]", "6:12 engine-unknown-operator"),
        ("{do: hold, reason: far away}", "{do: assign, pool: teem}", "16:28 unknown-pool"),
        ("id: rest", "id: near", "9:9 rule-id-twice"),
        ("when: true", "when: false", "13:15 fallback-condition"),
        ("    fallback: true\n", "", "9:5 no-fallback"),
    ],
)
def test_a_wrong_reference_is_found_where_it_stands(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in RULES
    root = write_files(tmp_path, {**FOLDER, "rules/acme.rules.yaml": RULES.replace(old, new)})
    assert [f"{f.line}:{f.column} {f.code}" for f in check_folder(root)] == [expected]


def test_a_nearly_right_path_is_suggested(tmp_path: Path) -> None:
    root = write_files(tmp_path, {**FOLDER, "rules/acme.rules.yaml": RULES.replace("lead.postal_code", "lead.emial")})
    assert check_folder(root)[0].fix == "Did you mean `lead.email`?"


def test_paths_inside_an_iterator_belong_to_its_items(tmp_path: Path) -> None:
    condition = "some: [{var: lead.consent}, {===: [{var: channel}, sms]}]"
    rules = RULES.replace("in_list: [{var: lead.postal_code}, zips]", condition)
    assert check_folder(write_files(tmp_path, {**FOLDER, "rules/acme.rules.yaml": rules})) == []


def test_an_unknown_office_is_found_in_the_endpoint(tmp_path: Path) -> None:
    root = write_files(tmp_path, {**FOLDER, "tenant.yaml": TENANT.replace("office: main", "office: man")})
    (found,) = check_folder(root)
    assert (found.file, found.line, found.code, found.fix) == (
        "tenant.yaml",
        7,
        "unknown-office",
        "Did you mean 'main'?",
    )


def test_an_id_that_stands_twice_is_found_at_its_second_place(tmp_path: Path) -> None:
    root = write_files(tmp_path, {**FOLDER, "tenant.yaml": TENANT.replace("id: mailbox", "id: hubspot")})
    (found,) = check_folder(root)
    assert (found.file, found.line, found.code) == ("tenant.yaml", 11, "id-twice")


def test_a_mapping_of_an_unknown_fact_is_found(tmp_path: Path) -> None:
    crm = FOLDER["crm/hubspot.yaml"].replace("lead.email", "lead.mail")
    (found,) = check_folder(write_files(tmp_path, {**FOLDER, "crm/hubspot.yaml": crm}))
    assert (found.file, found.line, found.column, found.code) == ("crm/hubspot.yaml", 7, 23, "unknown-fact")


def test_a_file_that_nobody_reads_is_told(tmp_path: Path) -> None:
    stray = {"rules/more.yaml": RULES, "crm/hubspot.yml": "", "rule/a.rules.yaml": RULES, "office.yaml": ""}
    root = write_files(tmp_path, {**FOLDER, **stray, "README.md": "notes"})
    assert [(f.file, f.code) for f in check_folder(root)] == [
        (name, "unread-file") for name in ("crm/hubspot.yml", "office.yaml", "rule", "rules/more.yaml")
    ]


def test_a_folder_without_tenant_file_is_told_in_one_finding(tmp_path: Path) -> None:
    assert [(f.file, f.code) for f in check_folder(tmp_path)] == [("tenant.yaml", "missing-file")]


def test_a_secret_pasted_by_mistake_is_not_repeated(tmp_path: Path) -> None:
    text = TENANT.replace("kind: hubspot", "kind: hubspot\n    secret: pat-na1-very-secret")
    (found,) = check_folder(write_files(tmp_path, {**FOLDER, "tenant.yaml": text}))
    assert (found.line, found.code) == (11, "bad-value")
    assert "very-secret" not in str(found)


def test_offices_may_be_a_table(tmp_path: Path) -> None:
    table = "id,name,time_zone,values.city\nmain,Main,America/Chicago,Chicago\nwest,West,Nowhere/West,\n"
    root = write_files(tmp_path, {**FOLDER, "offices.yaml": None, "offices.csv": table})
    (found,) = check_folder(root)
    assert (found.file, found.line, found.code) == ("offices.csv", 3, "bad-value")
    (root / "offices.csv").write_text(table.replace("Nowhere/West", "America/Denver"))
    offices = load_folder(root).intake.offices
    assert offices[0].values == {"city": "Chicago"}
    assert offices[1].time_zone == "America/Denver"


def test_rules_stand_by_priority_then_file_and_fallbacks_last(tmp_path: Path) -> None:
    more = (
        "rules:\n  - {id: z, title: z, why: z, phase: received, priority: 9, when: {'===': [{var: event.test}, true]},"
        " then: [{do: tag, tags: [z]}]}\n"
    )
    root = write_files(tmp_path, {**FOLDER, "rules/zzz.rules.yaml": more})
    assert [rule.id for rule in load_folder(root).rules.rules] == ["z", "near", "rest"]


def test_the_hashes_survive_storing_and_ignore_comments(tmp_path: Path) -> None:
    folder = load_folder(write_folder(tmp_path / "a"))
    commented = {name: f"# a comment\n{text}" if name.endswith("yaml") else text for name, text in FOLDER.items()}
    assert load_folder(write_files(tmp_path / "b", commented)).hashes == folder.hashes
    stored = RulesBundle.model_validate(bundle.as_json(folder.rules))
    assert bundle.content_hash(stored) == folder.hashes.rules
    intake = IntakeBundle.model_validate(bundle.as_json(folder.intake))
    assert bundle.content_hash(intake) == folder.hashes.intake


@pytest.mark.parametrize(
    ("file", "old", "new", "half"),
    [
        ("tenant.yaml", "name: Acme", "name: Acme Two", "intake"),
        ("offices.yaml", "America/Chicago", "America/Denver", "intake"),
        ("crm/hubspot.yaml", "{path: lead.email}", "{path: lead.email, write: always}", "rules"),
        ("pools/team.yaml", "weight: 2", "weight: 3", "rules"),
        ("lists/zips.csv", "60601", "60602", "rules"),
        ("rules/acme.rules.yaml", "far away", "too far away", "rules"),
    ],
)
def test_any_edit_changes_the_hash_of_its_half_alone(tmp_path: Path, file: str, old: str, new: str, half: str) -> None:
    before = load_folder(write_folder(tmp_path / "a")).hashes
    after = load_folder(write_files(tmp_path / "b", {**FOLDER, file: FOLDER[file].replace(old, new)})).hashes
    assert (before.intake != after.intake) == (half == "intake")
    assert (before.rules != after.rules) == (half == "rules")


def test_links_are_not_followed(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "a")
    secret = tmp_path / "outside.csv"
    secret.write_text("value\nprivate\n")
    (root / "lists" / "outside.csv").symlink_to(secret)
    assert [(f.file, f.code) for f in check_folder(root)] == [("lists/outside.csv", "link")]

"""What the pages name is there: commands, options, variables, links, targets, topics, metrics, facts, sources."""

import ast
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from pydantic_settings import BaseSettings

from connectors.crm.registry import registrations
from connectors.settings import ConnectionSettings
from consumers.runtime.metrics import DEFINITIONS
from consumers.runtime.settings import RuntimeSettings
from gateway.metrics import GatewayMetrics
from gateway.problems import TITLES
from gateway.settings import GatewaySettings
from gateway.signatures import verifier_for
from gateway.sources.registry import discover
from ops.api.settings import ApiSettings
from ops.cli.app import app
from rules.catalogue import catalogue
from schemas import topics
from schemas.decision import Write
from schemas.delivery import FinalState
from tests.docs.examples import CODE_SPAN, ROOT, commands, examples, name_of, pages, prose

ROOT_COMMAND: Any = typer.main.get_command(app)
SETTINGS: tuple[type[BaseSettings], ...] = (ConnectionSettings, GatewaySettings, RuntimeSettings, ApiSettings)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NOT_YET = frozenset({"rules test"})
"""Commands that a page names in order to say that they are not there."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path, command


def said(page: Any) -> Iterator[tuple[str, str]]:
    """Every line that is, or looks like, a call of leadbus, with where it stands."""
    for span in CODE_SPAN.findall(prose(page)):
        yield name_of(page), span
    for example in examples(page):
        if example.language == "console":
            for command in commands(example):
                yield example.place, command.text.replace("\\\n", " ").partition(" # ")[0]


def calls(text: str) -> Iterator[list[str]]:
    """The words after `leadbus` of each call in a line."""
    for part in re.split(r"&&|;|\|(?!\w)", text):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        while words and re.fullmatch(r"[A-Z][A-Z_]*=.*", words[0]):
            words.pop(0)
        if words and words[0].rpartition("/")[2] == "leadbus":
            yield words[1:]


def fault(words: list[str]) -> str | None:
    """What of a call does not exist."""
    command = ROOT_COMMAND
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command {name!r}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    wrong = [word.partition("=")[0] for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
    return f"there is no option {wrong[0]}" if wrong else None


def test_every_command_and_option_that_a_page_names_exists() -> None:
    wrong = []
    for page in pages():
        for place, text in said(page):
            for words in calls(text):
                if " ".join(words[:2]) not in NOT_YET and (why := fault(words)):
                    wrong.append(f"{place}: `{text}`: {why}")
    assert wrong == []


def test_options_named_alone_belong_to_some_command() -> None:
    known = {option for _, command in leaves(ROOT_COMMAND) for p in command.params for option in p.opts}
    named = {
        span.split()[0]
        for page in pages()
        for span in CODE_SPAN.findall(prose(page))
        if re.fullmatch(r"--[a-z][a-z-]*( .*)?", span)
    }
    assert named - known == set()
    assert named


def test_what_is_said_to_be_missing_is_missing() -> None:
    assert all(fault(name.split()) for name in NOT_YET)


@pytest.mark.parametrize("path", [" ".join(path) for path, _ in leaves(ROOT_COMMAND)])
def test_every_command_has_an_example_in_its_help_and_the_example_is_a_call_of_it(path: str) -> None:
    command = {" ".join(words): found for words, found in leaves(ROOT_COMMAND)}[path]
    help_text = command.help or ""
    assert "Example: `" in " ".join(help_text.split()), f"leadbus {path} --help shows no example"
    shown = [words for span in CODE_SPAN.findall(" ".join(help_text.split())) for words in calls(span)]
    assert any(words[: len(path.split())] == path.split() for words in shown)
    assert [fault(words) for words in shown if fault(words)] == []


def variables() -> dict[str, object]:
    """Every variable of the settings classes, with its default (None: no value, ...: must be given)."""
    found: dict[str, object] = {}
    for kind in SETTINGS:
        prefix = str(kind.model_config.get("env_prefix", ""))
        for name, field in kind.model_fields.items():
            found[f"{prefix}{name}".upper()] = ... if field.is_required() else field.default
    return found


def other_variables() -> set[str]:
    """Variables of options, and names that the code spells out outside the settings classes."""
    found = {p.envvar for _, command in leaves(ROOT_COMMAND) for p in command.params if isinstance(p.envvar, str)}
    for folder in ("consumers", "ops", "tests/parts"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= {node.value} if re.fullmatch(r"LEADBUS_[A-Z_]+", node.value) else set()
    return found


def test_every_variable_that_a_page_names_is_read_by_the_code() -> None:
    known = variables().keys() | other_variables()
    wrong = [
        f"{name_of(page)}: {name}"
        for page in pages()
        for name in re.findall(r"\bLEADBUS_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8"))
        if name not in known
    ]
    assert wrong == []


def rows(page: str, columns: int) -> list[list[str]]:
    """The cells of the page's tables that have that many columns."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [cells for cells in split if len(cells) == columns and not set(cells[0]) <= {"-"}]


def test_the_table_of_settings_is_complete_and_its_defaults_are_the_real_ones() -> None:
    told = {
        name.strip("`"): default for name, default, _ in rows("docs/operators.md", 3) if name.startswith("`LEADBUS_")
    }
    assert told.keys() == variables().keys()
    for name, default in variables().items():
        wanted = "needed" if default is ... else "" if default in (None, "", ()) else f"`{default}`"
        assert told[name] == wanted, name


def test_the_table_of_topics_is_the_real_one() -> None:
    told = {cells[0].strip("`"): cells[1:] for cells in rows("docs/operators.md", 4) if cells[0].startswith("`")}
    assert told.keys() == {topic.name for topic in topics.table()}
    for topic in topics.table():
        kept = "for ever, compacted" if topic.compacted else f"{topic.retention_ms // topics.DAY_MS} days"
        assert told[topic.name] == [str(topic.partitions), kept, f"{topic.max_bytes // topics.KIB} KiB"]


def test_every_metric_is_told_and_every_metric_told_exists() -> None:
    from prometheus_client import CollectorRegistry

    def full(name: str, kind: str) -> str:
        return f"{name}_total" if kind == "counter" else name

    daemons = {full(f"leadbus_{d.name}", d.kind) for d in DEFINITIONS}
    gateway = {full(m.name, m.type) for m in GatewayMetrics(CollectorRegistry()).registry.collect()}
    text = (ROOT / "docs/operators.md").read_text(encoding="utf-8")
    told = {span for span in CODE_SPAN.findall(text) if re.fullmatch(r"leadbus_[a-z_]+", span)}
    assert told == daemons | gateway


def test_the_page_of_facts_is_the_catalogue() -> None:
    told = {cells[0].strip("`"): cells[1] for cells in rows("docs/facts.md", 3) if cells[0].startswith("`")}
    assert told == {path: fact.type for path, fact in catalogue().items()}


def test_every_source_is_told_with_its_signature_and_kinds() -> None:
    told = {cells[0].strip("`"): cells for cells in rows("docs/webhooks.md", 4) if cells[0].startswith("`")}
    sources = discover()
    assert told.keys() == sources.keys()
    for name, source in sources.items():
        assert CODE_SPAN.findall(told[name][3]) == list(source.kinds)
        assert (verifier_for(source.signature).where if source.signature else "not signed") in told[name][2]


def test_every_refusal_is_told() -> None:
    told = {status for cells in rows("docs/webhooks.md", 3) for status in re.findall(r"\b\d{3}\b", cells[0])}
    assert told == {str(status) for status in TITLES} | {"202", "200", "303"}


def test_connector_settings_write_modes_and_final_states_are_told() -> None:
    two = {cells[0].split()[0].strip("`"): cells[1] for cells in rows("docs/tenant-admins.md", 2) if "`" in cells[0]}
    for kind, registration in registrations().items():
        fields = [field.alias or name for name, field in registration.settings.model_fields.items()]
        assert CODE_SPAN.findall(two[kind.value]) == fields
    assert {mode.value for mode in Write if mode is not Write.OTHER} <= two.keys()
    assert {state.value for state in FinalState if state is not FinalState.OTHER} <= two.keys()


def test_every_make_target_that_a_page_names_exists_and_all_are_told() -> None:
    there = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    assert set(re.findall(r"`make ([a-z]+)", text)) == there


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_no_relative_link_is_broken() -> None:
    wrong = []
    for page in pages():
        for target in LINK.findall(prose(page)):
            if target.startswith(("https://", "http://")):
                continue
            path, _, anchor = target.partition("#")
            goal = (page.parent / path).resolve() if path else page
            if not goal.exists():
                wrong.append(f"{name_of(page)}: {target}: there is no such file")
            elif anchor and (not goal.is_file() or anchor not in anchors(goal.read_text(encoding="utf-8"))):
                wrong.append(f"{name_of(page)}: {target}: there is no such heading")
    assert wrong == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen:
            continue
        seen.add(page)
        if page.is_dir():
            todo += sorted(page.glob("*.md"))
        elif page.suffix == ".md":
            links = [link.partition("#")[0] for link in LINK.findall(prose(page)) if "://" not in link]
            todo += [(page.parent / link).resolve() for link in links if link]
    assert {page for page in pages() if page not in seen} == set()

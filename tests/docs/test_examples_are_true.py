"""Every example that can be run is run, in the order of its page, and says what the page says it says."""

import pytest

from tests.docs.examples import Example, commands, examples, name_of, pages
from tests.docs.workspace import RunningHouse, Workspace, matches

RUN = frozenset(("run", "apply", "file"))
PAGES = {name_of(page): examples(page) for page in pages()}
QUICK = [name for name, found in PAGES.items() if any(e.kind in RUN for e in found) and name != "README.md"]
HOUSE = [name for name, found in PAGES.items() if any(e.kind == "house" for e in found)]


def play(name: str, kinds: frozenset[str], workspace: Workspace) -> str:
    """Run the page's examples of these kinds in order; everything that the commands printed."""
    shown = []
    before: Example | None = None
    printed = ""
    for example in PAGES[name]:
        if example.language == "text" and example.marker == "output":
            if before is not None and before.kind in kinds:
                assert matches(example.text.strip(), printed), f"{example.place}: it printed\n{printed}"
        elif example.kind in kinds:
            match example.language:
                case "console":
                    shown += [workspace.run(command, example.place) for command in commands(example)]
                case "python" if example.kind == "file":
                    workspace.write(example)
                case "python":
                    printed = workspace.run_python(example)
                case "diff":
                    workspace.apply(example)
        before = example
    return "\n".join(shown)


@pytest.mark.slow
def test_the_readme_is_true_from_the_first_run_to_the_changed_rule(workspace: Workspace) -> None:
    shown = play("README.md", RUN | {"slow"}, workspace)
    [excerpt] = [example for example in PAGES["README.md"] if example.marker == "demo"]
    assert matches(excerpt.text.strip(), shown), f"{excerpt.place}: the demo ends otherwise:\n{shown}"


def test_the_finding_that_the_readme_shows_is_the_one_that_people_get(workspace: Workspace) -> None:
    rules = workspace.root / "rules/tenants/summit-roofing/rules/20-analyzed.rules.yaml"
    rules.write_text(rules.read_text().replace("analysis.lead_score}, 75]", "analysis.leed_score}, 75]"))
    [finding] = [e for e in PAGES["README.md"] if e.language == "text" and "unknown-fact" in e.text]
    [command] = [c for e in PAGES["README.md"] if e.kind == "slow" for c in commands(e) if "rules check" in c.text]
    told = type(command)(command.text, finding.text.strip(), exit_code=1)
    workspace.run(told, finding.place)


@pytest.mark.parametrize("name", QUICK)
def test_the_examples_of_a_page_run_in_a_fresh_copy(name: str, workspace: Workspace) -> None:
    play(name, RUN, workspace)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOUSE)
def test_the_examples_against_a_running_house_are_true(name: str, running_house: RunningHouse) -> None:
    play(name, frozenset({"house"}), running_house.workspace)


@pytest.mark.slow
def test_leadbus_up_says_what_the_pages_show(running_house: RunningHouse) -> None:
    starts = [(e, c) for found in PAGES.values() for e in found if e.kind == "up" for c in commands(e)]
    assert starts
    for example, command in starts:
        assert command.text.endswith("leadbus up"), example.place
        expected = running_house.workspace.put_right(command.output)
        assert matches(expected, running_house.told), f"{example.place}:\n{running_house.told}"


@pytest.mark.slow
def test_ctrl_c_stops_the_house_cleanly(running_house: RunningHouse) -> None:
    assert running_house.stop() == 0
    log = running_house.workspace.root / "var" / "logs" / "gateway.log"
    assert '"stopped"' in log.read_text()


@pytest.mark.parametrize(
    ("expected", "shown", "same"),
    [
        ("hubspot │ 9 contacts", "x\n hubspot   │ 9 contacts, 1 deal", True),
        ("hubspot │ 9 contacts", "hubspot │ 8 contacts", False),
        ("gateway p50 4 ms", "gateway p50 17 ms", True),
        ('{"request_ids":["…"]}', '{"request_ids":["54fadd22"]}', True),
        ("0 lost, 0 doubled", "1 lost, 0 doubled", False),
    ],
)
def test_what_a_page_shows_is_compared_but_for_blanks_and_measured_times(expected: str, shown: str, same: bool) -> None:
    assert matches(expected, shown) is same

"""`leadbus chaos runtime` as a command: which faults there are, and what it says on a machine without Kafka."""

from ops.chaos.runtime.records import PARTITIONS, Order, document_of, headers_of, keyed
from ops.chaos.runtime.scenarios import PEERS, SCENARIOS, promise_of
from ops.cli import chaos_runtime
from schemas.documents import Inbound
from schemas.headers import RecordHeaders
from tests.unit.ops.leadbus import run


def test_every_scenario_can_be_named_and_says_what_it_promises() -> None:
    assert [name.value for name in chaos_runtime.ScenarioName] == [*SCENARIOS, *PEERS]
    assert [name.value for name in chaos_runtime.PEERS] == list(PEERS)
    assert all(promise_of(scenario).endswith(".") for scenario in (*SCENARIOS.values(), *PEERS.values()))


def test_without_java_the_command_says_what_to_install_and_ends_with_exit_code_3() -> None:
    result = run("chaos", "runtime", "--only", "poison", PATH="", JAVA_HOME="")
    assert result.exit_code == 3
    assert "install Java" in result.stderr


def test_an_unknown_fault_is_wrong_usage() -> None:
    assert run("chaos", "runtime", "--only", "earthquake").exit_code == 2


def test_a_record_says_what_its_handler_is_to_do_and_what_no_version_knows_is_laid_over_it() -> None:
    order = Order(7, "sleep 3", publish=True, version=2, more={"lead": {"aura": "blue"}, "tomorrow": {"a": 1}})
    document = document_of(order)
    lead = Inbound.model_validate(document).lead
    assert (lead.message, lead.extra) == ("sleep 3", {"number": 7, "publish": True})
    assert (document["lead"]["aura"], document["tomorrow"]) == ("blue", {"a": 1})
    assert RecordHeaders.read(headers_of(document, order.version)).schema_major == 2


def test_records_of_a_key_stay_in_one_partition() -> None:
    places: dict[str | None, set[int | None]] = {}
    for order in map(keyed, range(1_000)):
        places.setdefault(order.key, set()).add(order.partition)
    assert all(len(partitions) == 1 for partitions in places.values())
    assert {partition for (partition,) in places.values()} == set(range(PARTITIONS))

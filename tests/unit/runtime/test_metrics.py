"""One typed list of metrics: complete, told to operators, with units, and cheap to count with."""

import re
from pathlib import Path

from consumers.runtime.metrics import DEFINITIONS, Children, Metrics, table, undefined_fields

OPERATORS = Path(__file__).parents[3] / "docs" / "operators.md"
UNITS = re.compile(
    r"(^|_)(seconds|bytes|records|partitions|topics|tenants|letters|letters_held|commits|rebalances|retries|failures"
    r"|stalls|parked|released|kept|lost|limited|diverted|received|published|recreated|in_flight|waiting)$"
)


def test_every_definition_has_a_field_and_every_field_a_definition() -> None:
    assert undefined_fields() == set()


def test_every_name_says_its_unit() -> None:
    assert [definition.name for definition in DEFINITIONS if not UNITS.search(definition.name)] == []
    timed = [d for d in DEFINITIONS if d.kind == "histogram" or d.field in ("oldest_open", "loop_delay", "lag_seconds")]
    assert all(definition.name.endswith("_seconds") for definition in timed)


def test_the_operators_table_is_the_one_made_from_the_list() -> None:
    assert table() in OPERATORS.read_text(encoding="utf-8"), f"put this into docs/operators.md:\n{table()}"


def test_a_child_that_was_looked_up_once_counts_in_the_same_metric() -> None:
    metrics = Metrics.create()
    received = Children(metrics.received)
    received["inbound.calls"].inc(3)
    metrics.received.labels("inbound.calls").inc()
    assert received["inbound.calls"] is received["inbound.calls"]
    assert metrics.value("records_received_total", topic="inbound.calls") == 4


def test_what_is_exported_is_named_as_the_list_says() -> None:
    metrics = Metrics.create()
    told = set(re.findall(r"^# TYPE (\S+) ", metrics.text().decode(), re.MULTILINE))
    assert {definition.exposed for definition in DEFINITIONS} <= told

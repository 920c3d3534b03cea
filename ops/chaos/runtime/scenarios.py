"""Every scenario by its name, in the order in which they run."""

from collections.abc import Callable, Mapping
from typing import Final

from ops.chaos.runtime import beside, brokers, crashes, failures, members, topics, upgrade
from ops.chaos.runtime.report import Run
from ops.chaos.runtime.stage import Stage

Scenario = Callable[[Stage], Run]

SCENARIOS: Final[Mapping[str, Scenario]] = {
    "kill": crashes.kill,
    "commits-fail": brokers.commits_fail,
    "asleep": members.fell_asleep,
    "broker-restart": brokers.broker_restart,
    "join-old-leaves": members.join_then_the_old_one_leaves,
    "join-new-leaves": members.join_then_the_new_one_leaves,
    "kill-by-key": crashes.kill_by_key,
    "stop": crashes.stop,
    "stop-in-a-hurry": crashes.stop_in_a_hurry,
    "rolling-upgrade": upgrade.rolling_upgrade,
    "long-handler": failures.long_handler,
    "poison": failures.poison,
    "no-dead-letter-topic": failures.no_dead_letter_topic,
    "recreated-fewer": topics.recreated_with_fewer,
    "recreated-more": topics.recreated_with_more,
}
"""Of the daemons' runtime; the longest first, so that two at a time end together."""

PEERS: Final[Mapping[str, Scenario]] = {
    "peer-arroyo": beside.kill_arroyo,
    "peer-faststream": beside.kill_faststream,
}
"""The kill, for others' runtimes."""

TITLES: Final = {
    "peer-arroyo": "peer: sentry-arroyo RunTaskInThreads",
    "peer-faststream": "peer: FastStream ACK_FIRST max_workers",
}
"""Names of runs, where they are not the scenario's."""


def promise_of(scenario: Scenario) -> str:
    """What a scenario promises, in one line: its docstring."""
    return " ".join((scenario.__doc__ or "").split())

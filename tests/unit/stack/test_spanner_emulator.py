"""The Spanner emulator as a part of a test session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.stack.errors import PartFailed
from ops.stack.spanner_emulator import SpannerEmulator, client_environment

CREATE = """
from google.cloud import spanner
client = spanner.Client(project="test")
config = f"{client.project_name}/instanceConfigs/emulator-config"
instance = client.instance("test", configuration_name=config)
instance.create().result(30)
database = instance.database("leads", ddl_statements=["CREATE TABLE t (id INT64) PRIMARY KEY (id)"])
database.create().result(30)
with database.batch() as batch:
    batch.insert("t", ["id"], [[7]])
with database.snapshot() as snapshot:
    print(list(snapshot.execute_sql("SELECT id FROM t")))
"""


@pytest.mark.spanner
def test_a_client_with_the_environment_given_creates_a_database_and_reads_what_it_wrote(
    spanner_emulator: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CREATE],
        env={**os.environ, **client_environment(spanner_emulator)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout.strip(), done.returncode) == ("[[7]]", 0), done.stderr


@pytest.mark.spanner
def test_two_emulators_have_addresses_of_their_own_and_nothing_global_is_set() -> None:
    before = dict(os.environ)
    one, two = SpannerEmulator(), SpannerEmulator()
    try:
        assert one.start() != two.start()
        with pytest.raises(PartFailed, match="running already"):
            one.start()
    finally:
        one.stop()
        two.stop()
    assert dict(os.environ) == before


def test_a_machine_without_the_emulator_is_told_the_package_and_the_variable(tmp_path: Path) -> None:
    code = "from ops.stack.spanner_emulator import why_not; print(why_not())"
    wrong = {"PATH": str(tmp_path), "LEADBUS_SPANNER_EMULATOR": str(tmp_path / "nothing")}
    said = subprocess.run([sys.executable, "-c", code], env=wrong, capture_output=True, text=True, check=True).stdout
    assert "LEADBUS_SPANNER_EMULATOR names" in said
    assert "not an executable file" in said

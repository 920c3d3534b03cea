"""The peers: their environments, what is installed into them, and scripts that need nothing of ours."""

import ast
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from ops.bench.peers import peer_python
from ops.bench.peers.document import Measured as TheirMeasured
from ops.bench.peers.venvs import HERE, Peer, find_uv
from ops.bench.records import Measured, row
from ops.stack.errors import PartUnavailable
from schemas import codec
from tests.unit.ops.leadbus import run

OURS = {"schemas", "rules", "connectors", "gateway", "consumers", "ops", "tests"}
PEERS: tuple[Peer, ...] = get_args(Peer)

INSTALLER = """#!{python}
import json, pathlib, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "venv":
    python = pathlib.Path(sys.argv[-1]) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
{more}
"""


def installer(folder: Path, more: str = "") -> tuple[Path, Path]:
    """Something that is called like uv, and where it writes how it was called."""
    path, log = folder / "uv", folder / "log"
    path.write_text(INSTALLER.format(python=sys.executable, log=str(log), more=more))
    path.chmod(0o755)
    return path, log


def calls(log: Path) -> list[list[str]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_an_environment_is_made_once_from_the_pinned_requirements(tmp_path: Path) -> None:
    uv, log = installer(tmp_path)
    first = peer_python("arroyo", cache=tmp_path / "cache", installer=uv)
    again = peer_python("arroyo", cache=tmp_path / "cache", installer=uv)
    assert first == again
    assert first.is_file()
    assert [call[0] for call in calls(log)] == ["venv", "pip"]
    assert calls(log)[1][-1] == str(HERE / "arroyo.txt")


def test_peers_that_do_not_fit_together_have_environments_of_their_own(tmp_path: Path) -> None:
    uv, _ = installer(tmp_path)
    assert len({peer_python(name, cache=tmp_path / "cache", installer=uv) for name in PEERS}) == len(PEERS)


def test_without_the_package_index_it_says_what_is_missing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    uv, _ = installer(tmp_path, "if sys.argv[1] == 'pip': sys.exit('dns error: no such host')")
    with pytest.raises(PartUnavailable, match=r"(?s)the peer quixstreams cannot be installed.*no such host"):
        peer_python("quixstreams", cache=tmp_path / "cache", installer=uv)
    assert list((tmp_path / "cache" / "peers").iterdir()) == []


def test_the_command_without_network_ends_with_exit_code_3_and_names_the_peer(tmp_path: Path) -> None:
    offline = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_NO_INDEX": "1"}
    result = run("bench", "runtime", "--only", "b", "--embedded", LEADBUS_CACHE=str(tmp_path / "cache"), **offline)
    assert result.exit_code == 3
    assert "the peer arroyo cannot be installed from arroyo.txt" in result.stderr


@pytest.mark.parametrize("words", [("--only", "e"), ("--runs", "0")])
def test_a_part_that_is_not_there_and_no_runs_are_usage_errors(words: tuple[str, ...]) -> None:
    assert run("bench", "runtime", *words).exit_code == 2


def test_uv_beside_the_running_python_is_taken_first() -> None:
    beside = Path(sys.executable).parent / "uv"
    found = find_uv()
    assert found == beside if beside.is_file() else found is None or os.access(found, os.X_OK)


def pins(name: str) -> dict[str, str]:
    lines = [line.partition(" ;")[0] for line in (HERE / f"{name}.txt").read_text().splitlines()]
    return {package: version for package, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("name", PEERS)
def test_every_requirement_is_pinned(name: str) -> None:
    found = pins(name)
    assert all(found.values())
    assert {"arroyo": "sentry-arroyo", "quixstreams": "quixstreams", "faststream": "faststream"}[name] in found


def test_what_we_have_in_common_with_the_bare_loop_has_the_same_version() -> None:
    found = pins("faststream")
    for package in ("aiokafka", "faststream", "orjson", "pydantic", "pydantic-core", "uvloop"):
        assert found[package] == importlib.metadata.version(package), package


def test_scripts_of_peers_import_nothing_of_ours() -> None:
    for path in HERE.glob("*.py"):
        if path.name in ("__init__.py", "venvs.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not {name.partition(".")[0] for name in names} & OURS, path.name


def strictness(model: Any) -> dict[str, tuple[set[str], set[str]]]:
    """Fields and required fields of a model and those inside it."""
    schema = model.model_json_schema()
    models = {model.__name__: schema, **schema["$defs"]}
    return {
        name: (set(each["properties"]), set(each.get("required", ())))
        for name, each in models.items()
        if "properties" in each
    }


def test_the_peers_document_is_as_strict_as_ours() -> None:
    assert strictness(TheirMeasured) == strictness(Measured)
    value = codec.loads(row(1)[1])
    theirs, ours = TheirMeasured.model_validate(value), Measured.model_validate(value)
    assert theirs.model_dump(mode="json") == ours.model_dump(mode="json")

"""The wheel holds the six packages with everything that they need when they run, and nothing else."""

import configparser
import shutil
import subprocess
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"schemas", "rules", "connectors", "gateway", "consumers", "ops"}


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def info(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        [path] = [each for each in archive.namelist() if each.endswith(f".dist-info/{name}")]
        return archive.read(path).decode()


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    return Parser().parsestr(info(wheel, "METADATA"))


def test_it_holds_exactly_the_six_packages(names: set[str]) -> None:
    top = {PurePosixPath(name).parts[0] for name in names}
    assert {part for part in top if not part.endswith(".dist-info")} == PACKAGES
    assert len(top) == len(PACKAGES) + 1


def test_it_holds_every_file_of_the_packages_that_is_under_version_control(names: set[str]) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    listed = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout")
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    assert tracked - names == set()


def test_it_holds_no_test_and_nothing_that_a_machine_left_behind(names: set[str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        assert path.suffix not in {".pyc", ".pyo", ".db", ".log", ".so"}, name
        assert "__pycache__" not in path.parts, name
        assert not path.name.startswith(("test_", "conftest")), name


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_package_says_that_it_is_typed(names: set[str], package: str) -> None:
    assert f"{package}/py.typed" in names


@pytest.mark.parametrize(
    "pattern",
    [
        "connectors/store/migrations/sqlite/*.sql",
        "connectors/store/migrations/spanner/*.sql",
        "ops/api/templates/*.html",
        "ops/sandbox/calls/*.mp3",
        "ops/sandbox/calls/*.json",
        "rules/tenants/*/tenant.yaml",
        "rules/tenants/*/rules/*.rules.yaml",
        "rules/tenants/*/crm/*.yaml",
        "rules/tenants/*/tests/*_test.yaml",
        "rules/tenants/*/fixtures/*.json",
    ],
)
def test_what_is_not_python_is_there_as_well(names: set[str], pattern: str) -> None:
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)}
    assert there
    assert there <= names


def test_it_cannot_be_uploaded_by_mistake_because_its_package_names_are_generic(metadata: Message) -> None:
    assert "Private :: Do Not Upload" in (metadata.get_all("Classifier") or [])


def test_the_base_install_is_small_and_the_rest_is_the_extra_server(metadata: Message) -> None:
    assert metadata.get_all("Provides-Extra") == ["server"]
    needs = metadata.get_all("Requires-Dist") or []
    base = {need.split(";")[0].split("=")[0].split(">")[0] for need in needs if "extra ==" not in need}
    assert base <= {
        "datalogic-py", "email-validator", "orjson", "phonenumbers", "pydantic", "pyyaml", "rich", "typer", "tzdata",
    }  # fmt: skip
    assert any(need.startswith("faststream") for need in needs if "extra ==" in need)


def test_the_command_is_leadbus(wheel: Path) -> None:
    entries = configparser.ConfigParser()
    entries.read_string(info(wheel, "entry_points.txt"))
    assert dict(entries["console_scripts"]) == {"leadbus": "ops.cli:main"}

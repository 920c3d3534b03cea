"""Without the extra, a tenant's CI checks its rules; what needs the extra says so and ends with 3."""

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def leadbus(programs: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run from an empty folder, so that nothing of the checkout can be imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LEADBUS_", "PYTHON"))}
    return subprocess.run(
        [str(programs / "leadbus"), *arguments],
        cwd=folder,
        env={**clean, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def installed(programs: Path, folder: Path, expression: str) -> str:
    code = f"import importlib.util, pathlib, rules; print({expression})"
    done = subprocess.run(
        [str(programs / "python"), "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_help_names_every_command(base_install: Path, tmp_path: Path) -> None:
    done = leadbus(base_install, tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("demo", "gateway", "consumer", "rules", "store", "schemas", "ops"))
    assert leadbus(base_install, tmp_path, "demo", "--help").returncode == 0


def test_rules_are_checked_and_a_fault_is_found(base_install: Path, tmp_path: Path) -> None:
    assert installed(base_install, tmp_path, "importlib.util.find_spec('aiohttp')") == "None"
    tenants = Path(installed(base_install, tmp_path, "pathlib.Path(rules.__file__).parent / 'tenants'"))
    assert not tenants.is_relative_to(ROOT)
    for tenant in sorted(tenants.iterdir()):
        done = leadbus(base_install, tmp_path, "rules", "check", str(tenant))
        assert (done.returncode, done.stderr) == (0, "")
    own = tmp_path / "own"
    own.mkdir()
    (own / "tenant.yaml").write_text("tenant: own\nname: Own\ncolour: red\n")
    done = leadbus(base_install, tmp_path, "rules", "check", str(own), "--json")
    assert done.returncode == 1
    assert any("tenant.yaml" in finding["file"] for finding in json.loads(done.stdout)["findings"])


@pytest.mark.parametrize(
    "command",
    ["demo", "up", "sandbox", "gateway", "consumer routing", "api", "config", "ops topics --kafka 127.0.0.1:1"],
)
def test_what_needs_the_extra_says_what_to_install(base_install: Path, tmp_path: Path, command: str) -> None:
    done = leadbus(base_install, tmp_path, *command.split())
    assert done.returncode == 3, done.stderr
    assert "leadbus[server]" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) == 1

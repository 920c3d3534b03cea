"""What a test session does about missing parts, shown on small sessions of their own."""

import os
import subprocess
import sys
from pathlib import Path

MARKERS = "[pytest]\nmarkers =\n  kafka: k\n  spanner: s\n  browser: b\n"
CONFTEST = "from tests.conftest import *  # noqa: F403\n"


def session(folder: Path, test: str, *, require: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a one-file session with the project's own conftest, on a PATH where no part is found."""
    (folder / "pytest.ini").write_text(MARKERS)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(test)
    env = {**os.environ, "PATH": str(folder), "LEADBUS_CACHE": str(folder), "JAVA_HOME": "", **extra}
    env.pop("LEADBUS_REQUIRE", None)
    if require is not None:
        env["LEADBUS_REQUIRE"] = require
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, check=False)


NEEDS_KAFKA = "import pytest\n@pytest.mark.kafka\ndef test_one():\n  pass\ndef test_two():\n  pass\n"


def test_a_missing_part_skips_its_tests_and_is_named_at_the_end(tmp_path: Path) -> None:
    done = session(tmp_path, NEEDS_KAFKA)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 skipped" in done.stdout
    closing = done.stdout.split("not run on this machine")[1]
    assert "openjdk-17-jre-headless" in closing
    assert "test_it.py::test_one" in closing


def test_a_missing_part_that_is_required_fails_its_tests(tmp_path: Path) -> None:
    done = session(tmp_path, NEEDS_KAFKA, require="kafka,spanner")
    assert done.returncode == 1, done.stdout
    assert "1 passed, 1 error" in done.stdout
    assert "LEADBUS_REQUIRE asks for kafka" in done.stdout


def test_any_skip_fails_a_strict_session_and_is_listed(tmp_path: Path) -> None:
    done = session(tmp_path, "import pytest\ndef test_one():\n  pytest.skip('not today')\n", require="spanner")
    assert done.returncode == 1, done.stdout
    assert "which LEADBUS_REQUIRE does not allow" in done.stdout
    assert "not today (1):\n  test_it.py::test_one" in done.stdout


def test_a_module_that_skips_itself_fails_a_strict_session_too(tmp_path: Path) -> None:
    skipping = "import pytest\nx = pytest.importorskip('no_such_module')\ndef test_one():\n  pass\n"
    (tmp_path / "test_other.py").write_text("def test_two():\n  pass\n")
    done = session(tmp_path, skipping, require="spanner")
    assert done.returncode == 1, done.stdout
    assert "no_such_module" in done.stdout.split("not run on this machine")[1]


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    expected = "import pytest\n@pytest.mark.xfail\ndef test_one():\n  assert False\n"
    assert session(tmp_path, expected, require="spanner").returncode == 0


def test_a_part_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    done = session(tmp_path, "def test_one():\n  pass\n", require="kafak")
    assert done.returncode == 4
    assert "LEADBUS_REQUIRE names kafak" in done.stdout + done.stderr


def test_a_browser_named_by_the_environment_is_the_one_used(tmp_path: Path) -> None:
    browser = tmp_path / "my-browser"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    test = (
        "import pytest\n"
        "@pytest.mark.browser\n"
        f"def test_one(chromium_path):\n  assert str(chromium_path) == '{browser}'\n"
    )
    assert session(tmp_path, test, require="browser", LEADBUS_CHROMIUM=str(browser)).returncode == 0

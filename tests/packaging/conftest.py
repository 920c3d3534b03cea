"""The wheel, built once from the working tree, and a fresh environment that holds the base install of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUT_OF_REACH = ("Failed to fetch", "error sending request", "dns error", "Could not connect")


def uv(*arguments: str) -> None:
    """Run uv; a package index that cannot be reached skips the test, anything else fails it."""
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        pytest.skip("there is no uv: make setup installs it")
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    if done.returncode and any(sign in done.stderr for sign in OUT_OF_REACH):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel's file."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--out-dir", str(folder))
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def base_install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment's programs, in which the wheel is installed without its extra."""
    environment = tmp_path_factory.mktemp("base") / "venv"
    uv("venv", "--python", sys.executable, str(environment))
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    uv("pip", "install", "--python", str(programs / "python"), str(wheel))
    return programs

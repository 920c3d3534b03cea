"""A virtual environment per peer, made once per user from the pinned requirements beside this file.

Peers get their own because they do not fit together, nor with us: sentry-arroyo and quixstreams pin different versions
of confluent-kafka. The folder is named by the hash of what goes into it, filled under another name and renamed when
whole, so a killed installation leaves nothing half done and two processes that race end with one folder.

    PartUnavailable   the packages could not be installed: no network, or no wheel for this machine
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from ops.stack.errors import PartUnavailable
from ops.stack.places import cache_dir

Peer = Literal["arroyo", "quixstreams", "faststream"]

HERE = Path(__file__).resolve().parent
INSTALL_SECONDS = 600.0


def peer_python(peer: Peer, *, cache: Path | None = None, installer: Path | None = None) -> Path:
    """The Python with this peer installed. The first call of a user installs it; later ones need no network.

    `faststream` also serves the bare aiokafka loop. `installer` stands in for the uv that is found. Raises
    PartUnavailable with what the installer said.
    """
    requirements = HERE / f"{peer}.txt"
    folder = (cache_dir() if cache is None else cache) / "peers" / f"{peer}-{_fingerprint(requirements)}"
    python = _python_of(folder)
    if python.is_file():
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{peer}-", dir=folder.parent) as temporary:
        made = Path(temporary) / "venv"
        install(requirements, made, what=f"the peer {peer}", installer=installer)
        try:
            made.rename(folder)
        except OSError:
            # Another process was first; its folder is as good as ours.
            if not python.is_file():
                raise
    return python


def install(requirements: Path, folder: Path, *, what: str, installer: Path | None = None) -> None:
    """Make a virtual environment in `folder` with exactly these packages, by uv where there is one, else by pip."""
    uv = installer or find_uv()
    python = _python_of(folder)
    if uv is not None:
        steps = [
            [str(uv), "venv", "--quiet", "--python", sys.executable, str(folder)],
            [str(uv), "pip", "install", "--quiet", "--python", str(python), "-r", str(requirements)],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)],
        ]
    for step in steps:
        _run(step, what, requirements)


def find_uv() -> Path | None:
    """uv beside the running Python, else on PATH, else None."""
    # Not resolved: a virtual environment's Python is a link to one that has no uv beside it.
    beside = Path(sys.executable).parent / "uv"
    if beside.is_file():
        return beside
    found = shutil.which("uv")
    return Path(found) if found else None


def _run(argv: list[str], what: str, requirements: Path) -> None:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise PartUnavailable(f"{what} was not installed within {INSTALL_SECONDS:.0f} s") from error
    if done.returncode != 0:
        words = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise PartUnavailable(
            f"{what} cannot be installed from {requirements.name} (exit code {done.returncode}); the first run needs"
            f" the package index, later ones do not:\n{words}"
        )


def _fingerprint(requirements: Path) -> str:
    version = f"{sys.implementation.cache_tag}\n{sys.platform}\n"
    return hashlib.sha256(version.encode() + requirements.read_bytes()).hexdigest()[:12]


def _python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

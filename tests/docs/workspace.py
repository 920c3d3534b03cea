"""A fresh copy of the checkout in which examples are run, with `leadbus` on PATH and at `.venv/bin/leadbus`.

The copy's own code is what runs (PYTHONPATH is looked at before the installed package), so an example may edit rules
or add a module without touching the checkout. `make` finds its set-up done.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from ops.stack.places import free_ports
from tests.docs.examples import ROOT, Command, Example

ROOMS = ("schemas", "rules", "connectors", "gateway", "consumers", "ops")
FILES = ("Makefile", "pyproject.toml", "uv.lock", "README.md")
MEASURED = re.compile(
    r"(?:(?:p50|p99|delivered +│|superseded +│)\s+[\d.]+)|(?:[\d.]+\s(?:deliveries|USD|s in all))|(?:webhook p50.*)"
)
LONGEST_READ = 20.0
"""Seconds until what was posted must be seen where an example looks for it."""


@dataclass(slots=True)
class Workspace:
    """One copy."""

    root: Path
    replaced: dict[str, str] = field(default_factory=dict)
    """Text of the examples to what stands for it here."""

    @classmethod
    def create(cls, root: Path) -> "Workspace":
        """Copy the checkout to `root`, which must not exist."""
        root.mkdir()
        for room in ROOMS:
            shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy2(ROOT / name, root / name)
        (root / ".venv").mkdir()
        (root / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        (root / ".venv" / ".setup-is-done").touch()
        return cls(root)

    @property
    def environment(self) -> dict[str, str]:
        """What examples see; settings of the machine's own leadbus are left out."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LEADBUS_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        return {
            **kept,
            "PATH": path,
            "PYTHONPATH": str(self.root),
            "GIT_CEILING_DIRECTORIES": str(self.root.parent),
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "TERM": "dumb",
        }

    def put_right(self, text: str) -> str:
        """An example's text with this workspace's addresses."""
        for written, here in self.replaced.items():
            text = text.replace(written, here)
        return text

    def run(self, command: Command, place: str) -> str:
        """Run a command and compare; its output. AssertionError says what is different."""
        asks = command.text.startswith("curl") and not re.search(r" (-d|-X|--data\S*|-F) ", command.text)
        deadline = time.monotonic() + (LONGEST_READ if asks else 0.0)
        while True:
            done = self._run(["bash", "-ec", self.put_right(command.text)])
            shown = done.stdout + done.stderr
            fits = matches(self.put_right(command.output), shown)
            if (fits and done.returncode == command.exit_code) or time.monotonic() >= deadline:
                break
            time.sleep(0.5)
        assert done.returncode == command.exit_code, f"{place}: {command.text}: exit code {done.returncode}\n{shown}"
        assert fits, f"{place}: {command.text}\n--- the page says\n{command.output}\n--- it says\n{shown}"
        return shown

    def run_python(self, example: Example) -> str:
        """Run a Python example; its output."""
        done = self._run([sys.executable, "-c", self.put_right(example.text)])
        assert done.returncode == 0, f"{example.place}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def apply(self, example: Example) -> None:
        """Apply a diff."""
        done = self._run(["git", "apply", "-"], example.text)
        assert done.returncode == 0, f"{example.place}: the diff does not fit\n{done.stderr}"

    def write(self, example: Example) -> None:
        """Write a file that an example shows."""
        (self.root / example.marker.split()[1]).write_text(example.text, encoding="utf-8")

    def _run(self, argv: list[str], given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self.root,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )


def matches(expected: str, shown: str) -> bool:
    """Whether the output holds the text: blanks apart, `…` for anything, measured numbers whatever they are."""
    parts = []
    for word in re.split(r"(\s*…\s*|\s+)", MEASURED.sub(lambda m: re.sub(r"\d[\d.]*", "\x00", m[0]), expected)):
        if "…" in word:
            parts.append(r".*?")
        elif word and word.isspace():
            parts.append(r"\s+")
        else:
            parts.append(re.escape(word).replace("\x00", r"[\d.]+"))
    return re.search("".join(parts), shown, re.DOTALL) is not None


@dataclass(slots=True)
class RunningHouse:
    """`leadbus up` in a workspace."""

    workspace: Workspace
    process: subprocess.Popen[str]
    told: str

    @classmethod
    def start(cls, workspace: Workspace) -> "RunningHouse":
        """Returns when it says that it is up; AssertionError with its output otherwise."""
        [port] = free_ports(1)
        process = subprocess.Popen(
            ["leadbus", "up", "--port", str(port)],
            executable=str(Path(sys.executable).parent / "leadbus"),
            cwd=workspace.root,
            env=workspace.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("up;"):
                break
        control = re.search(r"^control +(\S+)$", told, re.MULTILINE)
        assert control is not None, told
        workspace.replaced |= {"127.0.0.1:8080": f"127.0.0.1:{port}", "CONTROL": control[1]}
        return cls(workspace, process, told)

    def stop(self) -> int:
        """As Ctrl-C does, once; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=60)
        finally:
            self.process.kill()
        return self.process.returncode

"""The documentation as data: its pages, and the fenced examples on them with what their marker says.

A fence's info string is a language and, for everything that could be run, how the example is proven:

    console run | slow           run in a fresh copy of the checkout; slow ones take longer than ten seconds
    console up                   starts the house; only its output is compared
    console house                run while `leadbus up` runs; 127.0.0.1:8080 and CONTROL are put right
    console not-run (why)        names of commands and options are checked, nothing is run
    python run | house           as above; `text output` after it is what it prints
    python file PATH             written to that file of the copy, for the examples after it
    diff apply                   applied to the copy
    html                         only its field names are compared
    yaml|json|csv NAME           validated as the file or answer of that name
    text [output | demo]         free text, the output of the example before it, or what `make demo` ends with
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True, slots=True)
class Example:
    """One fenced example; `line` is where its text begins."""

    page: str
    line: int
    language: str
    marker: str
    text: str

    @property
    def kind(self) -> str:
        """The first word of the marker."""
        return self.marker.partition(" ")[0]

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a console example, and the output that stands under it."""

    text: str
    output: str
    exit_code: int


def pages() -> list[Path]:
    """Every page, README first; decisions are prose and have no examples."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def examples(page: Path) -> list[Example]:
    """The fenced examples of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, _, marker = match["info"].strip().partition(" ")
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Example(name_of(page), line, language, marker.strip(), match["text"]))
    return found


def commands(example: Example) -> Iterator[Command]:
    """The commands of a console example: `$ ` begins one, a backslash at the end of a line continues it."""
    command, output, going_on = "", [""], False
    for line in example.text.splitlines():
        if line.startswith("$ ") and not going_on:
            if command:
                yield _command(command, output)
            command, output = line[2:], []
        elif going_on:
            command += "\n" + line
        else:
            if not command:
                raise ValueError(f"{example.place}: a console example begins with `$ `")
            output.append(line)
        going_on = (line.startswith("$ ") or going_on) and line.endswith("\\")
    if command:
        yield _command(command, output)


def _command(text: str, output: list[str]) -> Command:
    code = re.search(r"# exit code (\d+)$", text)
    return Command(text, "\n".join(output).strip(), int(code[1]) if code else 0)


def prose(page: Path) -> str:
    """The page without its fenced examples."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))

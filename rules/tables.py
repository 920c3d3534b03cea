"""The CSV files of a tenant folder: `offices.csv` and `lists/*.csv`.

The first row names the columns. Values are text; an empty cell is no value. A file is at most 8 MiB, so that a list
of every postal code of a country fits. Problems are findings, never exceptions.
"""

import csv
import io
from typing import Any

from rules.findings import Finding, Place, finding
from rules.parsed import Parsed

MAX_BYTES = 8 * 1_048_576


def read_rows(data: bytes, file: str, findings: list[Finding]) -> list[tuple[int, dict[str, str]]]:
    """Rows as (line, column name to text); empty cells and empty rows are left out."""
    try:
        if len(data) > MAX_BYTES:
            raise ValueError(f"the file has {len(data)} bytes; at most {MAX_BYTES} are read")
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        names = [name.strip() for name in next(reader, [])]
        if not names or len(set(names)) < len(names) or "" in names:
            findings.append(
                finding(Place(file), "bad-table", "The first row has to name every column once.", "Add or correct it.")
            )
            return []
        rows = []
        begins = reader.line_num + 1
        for cells in reader:
            if len(cells) > len(names):
                findings.append(
                    finding(
                        Place(file, begins),
                        "bad-table",
                        f"This row has {len(cells)} cells, the first row names {len(names)}.",
                        "Put values that contain a comma in quotes.",
                    )
                )
            row = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if cell.strip()}
            if row:
                rows.append((begins, row))
            begins = reader.line_num + 1
    except (ValueError, csv.Error) as error:
        text = "The file is not UTF-8." if isinstance(error, UnicodeDecodeError) else f"The file is not CSV: {error}."
        findings.append(finding(Place(file), "bad-table", text, "Save it as CSV in UTF-8."))
        return []
    return rows


def read_list(data: bytes, file: str, findings: list[Finding]) -> tuple[str, ...]:
    """The values of a list: its column `value`, each once, in the order of the file; other columns are for people."""
    rows = read_rows(data, file, findings)
    if missing := [line for line, row in rows if "value" not in row]:
        findings.append(
            finding(
                Place(file, missing[0]),
                "bad-table",
                "This row has nothing in the column `value`.",
                "Name the column `value` in the first row, and fill it in every row.",
            )
        )
    return tuple(dict.fromkeys(row["value"] for _, row in rows if "value" in row))


def read_offices(data: bytes, file: str, findings: list[Finding]) -> Parsed:
    """`offices.csv` in the form of `offices.yaml`; columns `values.x` become the office's own values."""
    parsed = Parsed(file, {"offices": []})
    parsed.values[("offices",)] = (1, 1)
    parsed.values[()] = (1, 1)
    for number, (line, row) in enumerate(read_rows(data, file, findings)):
        office: dict[str, Any] = {name: value for name, value in row.items() if not name.startswith("values.")}
        if own := {name[7:]: value for name, value in row.items() if name.startswith("values.")}:
            office["values"] = own
        parsed.value["offices"].append(office)
        parsed.values["offices", number] = (line, 1)
    return parsed

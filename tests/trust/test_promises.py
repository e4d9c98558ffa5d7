"""docs/trust.md promises nothing without a test, and its figures are those of a run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.trust import figures
from tests.trust.conftest import ROOT

HERE = Path(__file__).parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in figures.PAGE.read_text("utf-8").partition("## Figures")[0].splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| promise"))
]


def functions_of(path: Path) -> set[str]:
    return {
        node.name for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_there_are_promises():
    assert len(ROWS) > 10 and all(len(row) == 2 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip("*")[:40])
def test_every_promise_names_tests_that_exist(row):
    named = re.findall(r"((?:tests/\w+/)?test_\w+\.py)(?:::(test_\w+))?", row[1])
    assert named, row[0]
    for file, function in named:
        there = functions_of(ROOT / file if "/" in file else HERE / file)
        assert there and (not function or function in there), (file, function)


def test_every_suite_keeps_a_promise():
    page = "\n".join(row[1] for row in ROWS)
    assert [p.name for p in HERE.glob("test_*.py") if p != Path(__file__) and p.name not in page] == []


def test_the_figures_are_a_table_that_a_run_made():
    """Numbers differ from run to run; what is counted does not."""
    stated = figures.stated(figures.PAGE.read_text("utf-8"))
    if stated == figures.NONE:
        return
    rows = dict(re.findall(r"^\| ([^|]+) \| ([\d,]+) \|$", stated, re.MULTILINE))
    assert set(figures.NAMES) <= set(rows)
    values = {name: int(value.replace(",", "")) for name, value in rows.items()}
    assert figures.table(values) == stated
    assert min(values[name] for name in figures.NAMES) > 0


def test_part_of_a_run_makes_no_table():
    with pytest.raises(KeyError):
        figures.table({"corpus: files": 3})

"""docs/reliability.md has every row, and the tests that it names are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "reliability.md").read_text().splitlines()
    if re.match(r"\| R\d", line)
]


def test_all_rows_are_there_in_order():
    assert len(ROWS) > 46
    assert [row[0] for row in ROWS] == [f"R{i + 1}" for i in range(len(ROWS))]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_tests_of_a_row_exist(row):
    assert len(row) == 4
    tests = re.findall(r"`([^`]+)`", row[3])
    # A row without a test says why.
    assert tests or row[3].startswith("None: ")
    for test in tests:
        file, name = test.split("::")
        path = ROOT / file if "/" in file else Path(__file__).parent / file
        assert f"\ndef {name}(" in path.read_text(), test

"""Tables: scores as CSV."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def write_table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Writes a CSV file, UTF-8, with a line for the header; NaN is an empty cell.

    Raises:
        OSError: if it cannot be written.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([*map(_cell, row)] for row in rows)


def _cell(value):
    if not isinstance(value, (float, np.floating)):
        return value
    return "" if np.isnan(value) else float(value)

"""JSON lines: records of a run, one flat object a line, that grow while it runs.

A kill, a full disk or an editor may leave a line that is no record. Such a line is set
aside in `NAME.damaged`, so that it ends no later start and no reader.
"""

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_log = logging.getLogger("jaxseg")


def read_records(
    path: Path, is_record: Callable[[Mapping[str, Any]], bool]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of a file, and its lines that are none.

    Args:
        path: the file.
        is_record: whether an object of JSON is a record of this file.

    Raises:
        OSError: the file cannot be read.
    """
    records, damaged = [], []
    for text in path.read_text(errors="replace").split("\n"):
        if not text.strip("\0\r\t "):  # a lost write after a crash leaves zero bytes
            continue
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict) and is_record(record):
            records.append(record)
        else:
            damaged.append(text)
    return records, damaged


def drop_after(
    path: Path, step: int, is_record: Callable[[Mapping[str, Any]], bool]
) -> None:
    """Takes the records of later steps out of a file: they will be done again.

    Args:
        path: the file; without one nothing happens.
        step: the last whose records stay.
        is_record: as of `read_records`; every record has an integer `step`.

    Raises:
        OSError: the file cannot be read or replaced.
    """
    if not path.exists():
        return
    records, damaged = read_records(path, is_record)
    if damaged:
        aside = path.with_name(path.name + ".damaged")
        with open(aside, "a") as file:
            file.writelines(f"{text}\n" for text in damaged)
        _log.warning(
            "%s: %d lines that are no records of a run were set aside in %s",
            path,
            len(damaged),
            aside.name,
        )
    kept = [json.dumps(record) for record in records if record["step"] <= step]
    draft = path.with_name(path.name + ".new")
    draft.write_text("".join(f"{line}\n" for line in kept))
    os.replace(draft, path)


def is_step(value: Any) -> bool:
    """Whether a value of JSON is the number of a step, from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1

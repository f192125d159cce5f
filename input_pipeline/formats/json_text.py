"""JSON: read whole, without numbers that are none, and only up to a size."""

import json
import os
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.formats.files import read_bytes

# COCO's largest file has 0.45 GB; Python takes some ten times as much for it.
MAX_TEXT = 1 << 30


def read_text(path: str) -> bytes:
    """The content of a text file.

    Raises:
        DataError: as `read_bytes`; a file of more than MAX_TEXT bytes.
    """
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror}).") from error
    if size > MAX_TEXT:
        raise DataError(
            f"{path}: an annotation file of {size} bytes; {MAX_TEXT} are read. Split it."
        )
    return read_bytes(path)


def parse_json(data: bytes, source: str) -> Any:
    """What a JSON text says.

    Args:
        data: the text, UTF-8 with or without a mark, or UTF-16.
        source: its file, for errors.

    Raises:
        DataError: no JSON, too deep, NaN or Infinity in it.
    """

    def refuse(name):
        raise DataError(f"{source}: {name} stands for a number; JSON has none of it.")

    try:
        return json.loads(data, parse_constant=refuse)
    except DataError:
        raise
    except RecursionError as error:
        raise DataError(f"{source}: JSON that is nested too deeply.") from error
    except (ValueError, MemoryError) as error:
        raise DataError(f"{source}: no JSON that can be read ({error}).") from error

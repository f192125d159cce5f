"""A case: the sources of a data set, as published, and what must come of them."""

import dataclasses
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass
class Case:
    """Sources of a converter.

    Attributes:
        archives: {file name: {member: bytes}}.
        label: (archive, member): if it is missing, an error says so.
        named: what the error must say of it.
        samples: how many the data set's class finds: (train, val).
        check: looks at the output folder.
        options: of the converter.
        given: what is given to the converter in place of each archive, below their
            folder.
        is_counted: whether its numbers of files are published.
    """

    archives: dict[str, Any]
    label: tuple[str, str]
    named: str
    samples: tuple[int, int]
    check: Callable
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    given: tuple[str, ...] = ()
    is_counted: bool = True

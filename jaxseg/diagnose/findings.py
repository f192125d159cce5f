"""Findings: what is wrong with a data set, as sentences."""

import dataclasses
from collections.abc import Sequence

LISTED = 5


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a person should know.

    Attributes:
        level: 'error', what stops training or spoils it; or 'warning'.
        split: 'train', 'val' or 'data'; '' for the config as a whole.
        kind: a short name, the same for the same defect: 'damaged image'.
        text: a sentence or two.
        files: some of those it is about; not all, where they are many.
        count: how many there are in all.
    """

    level: str
    split: str
    kind: str
    text: str
    files: tuple[str, ...] = ()
    count: int = 1

    def __str__(self) -> str:
        where = f"{self.split}: " if self.split else ""
        lines = [f"{self.level}: {where}{self.text}"]
        lines += [f"    {name}" for name in self.files[:LISTED]]
        rest = self.count - LISTED
        if self.files and rest > 0:
            lines.append(f"    ... and {rest} more, {self.count} in all")
        return "\n".join(lines)


def error(
    split: str, kind: str, text: str, files: Sequence[str] = (), count: int = 0
) -> Finding:
    """A finding that makes the doctor end with exit code 1."""
    return Finding("error", split, kind, text, tuple(files), count or len(files) or 1)


def warning(
    split: str, kind: str, text: str, files: Sequence[str] = (), count: int = 0
) -> Finding:
    """A finding that may be as it should."""
    return Finding("warning", split, kind, text, tuple(files), count or len(files) or 1)

"""Source files: the members of everything that was given, found by patterns."""

import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from input_pipeline.errors import DataError
from input_pipeline.lists import decode_names
from input_pipeline.prepare.archive import Member, list_members, read_member
from input_pipeline.sources import some_of

_MOST_LIST_BYTES = 1 << 28

# The label of an image, or several.
_Label = TypeVar("_Label")


class Files:
    """The files of all sources.

    A pattern is a regular expression for the end of a path, from the beginning of one of
    its parts; the name of the archive or folder is the path's first part. So
    `training/images/(\\d+)_training\\.tif` finds the file in training.zip, in a folder
    `DRIVE` that holds `training`, and in the folder `training` itself.

    Attributes:
        given: the sources as the user named them.
        members: all files.
    """

    def __init__(self, given: Sequence[str], scratch: pathlib.Path, inner: str = ""):
        self.given = tuple(map(os.fspath, given))
        self.members: list[Member] = []
        for source in self.given:
            self.members += list_members(source, scratch, inner)
        if not self.members:
            raise DataError(f"{', '.join(self.given)}: no files in it.")

    def match(self, pattern: str) -> list[tuple[Member, re.Match]]:
        """Files whose path ends so, sorted by path.

        Raises:
            DataError: two of one path below their sources: a file was given twice.
        """
        compiled = re.compile(rf"(?:^|.*/){pattern}$")
        found = {}
        for member in self.members:
            match = compiled.match(member.path)
            if match is None:
                continue
            if member.path in found:
                raise DataError(
                    f"{member.path} is in two of the sources: {member.source} and "
                    f"{found[member.path][0].source}; give it once."
                )
            found[member.path] = member, match
        return [found[path] for path in sorted(found)]

    def one(self, pattern: str, what: str) -> Member:
        """The one file whose path ends so.

        Raises:
            DataError: there is none, or several.
        """
        found = self.match(pattern)
        if len(found) != 1:
            raise DataError(
                f"{', '.join(self.given)}: {what} (a path that ends in {pattern}) is "
                f"needed once; found: {some_of([str(m) for m, _ in found]) or 'none'}. "
                f"{self.held()}"
            )
        return found[0][0]

    def named(self, pattern: str) -> dict[str, Member]:
        """{name: file}, the name being the pattern's groups, joined by '/'.

        Raises:
            DataError: two files of one name.
        """
        named = {}
        for member, match in self.match(pattern):
            name = "/".join(match.groups())
            if name in named:
                raise DataError(
                    f"{named[name]} and {member} are both {name!r}; give one of them."
                )
            named[name] = member
        return named

    def grouped(self, pattern: str, several: bool) -> dict[str, tuple[Member, ...]]:
        """{name: files}, sorted by path, for names that may have several files.

        Raises:
            DataError: two files of one name, if not `several`.
        """
        if not several:
            return {name: (member,) for name, member in self.named(pattern).items()}
        grouped = {}
        for member, match in self.match(pattern):
            name = "/".join(match.groups())
            grouped[name] = (*grouped.get(name, ()), member)
        return grouped

    def lines(self, pattern: str, what: str) -> list[str]:
        """The lines of a text file, blank ones left out."""
        member = self.one(pattern, what)
        return decode_names(read_member(member, _MOST_LIST_BYTES), str(member))

    def held(self) -> str:
        """A sentence with some of the paths that there are, one a folder."""
        folders = {}
        for member in self.members:
            folders.setdefault(os.path.dirname(member.path), member.path)
        return f"The sources hold:\n{some_of(sorted(folders.values()))}"


def paired(
    images: dict[str, Member], labels: dict[str, _Label], files: Files, what: str
) -> Iterable[tuple[str, Member, _Label]]:
    """(name, image, label), sorted by name.

    Args:
        images, labels: from `Files.named`; the labels also from `Files.grouped`.
        files: for the error.
        what: of which part they are, for the error.

    Raises:
        DataError: there are none, an image without its label, or the other way round.
    """
    if not images:
        raise DataError(f"{', '.join(files.given)}: no {what}. {files.held()}")
    for one, other, names in (
        ("image", "label", sorted(set(images) - set(labels))),
        ("label", "image", sorted(set(labels) - set(images))),
    ):
        if names:
            raise DataError(
                f"{what}: {len(names)} {one}s without their {other}:\n{some_of(names)}\n"
                f"{files.held()}"
            )
    return [(name, images[name], labels[name]) for name in sorted(images)]

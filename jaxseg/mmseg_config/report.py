"""Report of a translation: what it could not take over."""

import dataclasses
from collections.abc import Container, Iterable

from jaxseg.config import TOP_LEVEL


@dataclasses.dataclass
class Report:
    """Filled by the rooms of the translation while they go through a config.

    Attributes:
        missing: (path in our config, name): components that jaxseg does not have,
            which stay where they are.
        notes: what was read and not honoured, and why; a sentence each.
        without_effect: (part of our config, or `config`; key): what nobody misses, such
            as how torch's processes hand over their batches.
    """

    missing: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    without_effect: list[tuple[str, str]] = dataclasses.field(
        default_factory=list, compare=False
    )

    def add(self, other: "Report", known_as: tuple[str, str]) -> None:
        """Takes over another report, but for what this one has said already.

        Args:
            other: the report.
            known_as: (path, other path): a note on the path that is in this report for
                the other path is not said again.
        """
        path, twin = known_as
        for entry in other.missing:
            self.lacks(*entry)
        for text in other.notes:
            if text.replace(path, twin) not in self.notes:
                self.note(text)
        for part, key in other.without_effect:
            if (part.replace(path, twin), key) not in self.without_effect:
                self.drop(part, [key])

    def lacks(self, path: str, type_name: str) -> None:
        """Reports a component that jaxseg does not have."""
        if (path, type_name) not in self.missing:
            self.missing.append((path, type_name))

    def note(self, text: str) -> None:
        """Reports what a user would expect to have an effect, and has none."""
        if text not in self.notes:
            self.notes.append(text)

    def drop(self, path: str, keys: Iterable[str]) -> None:
        """Reports keys of the dict at a path that have no effect, and miss none.

        Args:
            path: `train_dataloader.dataset`, in our config or in mmseg's own;
                an empty one for keys at the top.
            keys: keys of the dict there.
        """
        part, _, rest = path.partition(".")
        if part not in TOP_LEVEL:
            part, rest = "config", path
        for key in keys:
            entry = part, f"{rest}.{key}" if rest else key
            if entry not in self.without_effect:
                self.without_effect.append(entry)

    def drop_others(
        self, path: str, config: Iterable[str], known: Container[str]
    ) -> None:
        """Reports the keys of the dict at a path that are not among those known."""
        self.drop(path, [key for key in config if key not in known])

    def all_notes(self) -> list[str]:
        """The notes, and one more for each part of a config that has keys dropped."""
        parts = dict.fromkeys(part for part, _ in self.without_effect)
        return self.notes + [
            f"{part}: without effect here (docs/config.md says why): "
            + ", ".join(key for at, key in self.without_effect if at == part)
            for part in parts
        ]

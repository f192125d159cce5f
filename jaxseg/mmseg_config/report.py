"""What a translation could not take over."""

import dataclasses


@dataclasses.dataclass
class Report:
    """Filled by the rooms of the translation while they go through a config.

    Attributes:
        missing: (path in our config, name): components that jaxseg does not have,
            which stay where they are.
        notes: what was read and not honoured, and why; a sentence each.
    """

    missing: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def lacks(self, path: str, type_name: str) -> None:
        """Reports a component that jaxseg does not have."""
        if (path, type_name) not in self.missing:
            self.missing.append((path, type_name))

    def note(self, text: str) -> None:
        """Reports what a user would expect to have an effect, and has none."""
        if text not in self.notes:
            self.notes.append(text)

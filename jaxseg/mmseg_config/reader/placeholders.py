"""Placeholders: `{{ fileDirname }}`, `{{_base_.x}}` and `{{$NAME:default}}`."""

import ast
import os
import re
from typing import Any

from jaxseg.mmseg_config.reader.limits import MAX_CHARACTERS, LimitError, checked

_PATTERN = re.compile(
    r"""\{\{\s*(?:
    (?P<file>fileDirname|fileBasename|fileBasenameNoExtension|fileExtname)
    |_base_\.(?P<base>[\w.]+)
    )\s*\}\}
    # mmengine's {{$NAME:default}}, inside or outside quotes; lengths keep it linear.
    |\{\{['"]?\s{0,9}\$(?P<variable>\w{1,99})\s{0,9}:\s{0,9}
    (?P<default>\S{0,300}?)\s{0,9}['"]?\}\}""",
    re.VERBOSE,
)


class Placeholders:
    """The placeholders of one text.

    mmengine replaces them in the text, so that a folder named `'); import os; ('` ends
    up as code. Here each becomes one name before the text is parsed, and the name is
    replaced by its value in the data.

    Attributes:
        text: the text with names in place of the placeholders.
        of_base: the variables of the bases that were asked for so far.
    """

    def __init__(self, text: str, path: str | None):
        """Finds the placeholders.

        Args:
            text: the text of a config.
            path: the absolute path of its file, or None if it comes from no file.
        """
        self._path = path
        self._found: list[re.Match] = []
        self.of_base: set[str] = set()
        number = 0
        while f"placeholder{number}x" in text:
            number += 1
        self._prefix = f"placeholder{number}x"
        self._name = re.compile(rf"{self._prefix}(\d+)x")
        self.text = _PATTERN.sub(self._mark, text)

    def _mark(self, match):
        self._found.append(match)
        return f"{self._prefix}{len(self._found) - 1}x"

    def is_inside(self, text: str) -> bool:
        """Whether a name or a constant of the parsed text holds a placeholder."""
        return bool(self._found) and self._prefix in text

    def value(self, name: str, base: dict[str, Any]) -> Any:
        """What stands for a placeholder outside quotes.

        It is a value of the bases, or that of an environment variable, read as Python
        data.
        """
        match = self._name.fullmatch(name)
        if not match:
            raise ValueError("a placeholder {{...}} is glued to a name or another one")
        found = self._found[int(match[1])]
        if found["file"]:
            raise ValueError(f"{found[0]} is a text: it stands inside quotes")
        if found["variable"]:
            text = self._of_environment(found)
            try:
                return checked(ast.literal_eval(text))
            except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
                raise ValueError(
                    f"{found[0]} is {text!r:.60}, no Python data; a text stands inside "
                    "quotes"
                ) from error
        return self._from_base(found, base)

    def fill(self, text: str, base: dict[str, Any]) -> str:
        """A text with its placeholders replaced."""
        parts, length, end = [], len(text), 0
        for match in self._name.finditer(text):
            value = self._text(self._found[int(match[1])], base)
            length += len(value)
            if length > MAX_CHARACTERS:
                raise LimitError(f"a text of more than {MAX_CHARACTERS:,} characters")
            parts += text[end : match.start()], value
            end = match.end()
        return "".join(parts) + text[end:]

    def _text(self, found, base):
        if found["base"]:
            value = self._from_base(found, base)
            if not isinstance(value, (str, int, float)):
                raise ValueError(
                    f"{found[0]} is a {type(value).__name__}: it stands outside quotes"
                )
            return str(value)
        if found["variable"]:
            return self._of_environment(found)
        if self._path is None:
            raise ValueError(f"{found[0]}: this text comes from no file")
        folder, name = os.path.split(self._path)
        stem, extension = os.path.splitext(name)
        return {
            "fileDirname": folder,
            "fileBasename": name,
            "fileBasenameNoExtension": stem,
            "fileExtname": extension,
        }[found["file"]]

    @staticmethod
    def _of_environment(found):
        return os.environ.get(found["variable"], found["default"])

    def _from_base(self, found, base):
        value = base
        self.of_base.add(found["base"].partition(".")[0])
        for key in found["base"].split("."):
            if not isinstance(value, dict) or key not in value:
                raise ValueError(f"{found[0]}: the bases have no {key!r} there")
            value = value[key]
        return value

"""Flags of the command line that notes tell a user to give."""

import shlex
from typing import Any

from jaxseg.config import plain


def override_flag(path: str, value: Any) -> str:
    """`--config.PATH=VALUE`, as it is typed in a shell."""
    text = value if isinstance(value, str) else repr(plain(value))
    if '"' not in text:
        text = text.replace("'", '"')  # shells take these inside their own quotes
    return shlex.quote(f"--config.{path}={text}")

"""Formatting: Python's three ways to put values into a text, without a look into them.

`str.format` reads attributes (`'{0.__class__}'`) and every way pads to any width
(`'{:>999999999}'`), so templates are taken apart and checked here.
"""

import re
import string
from collections.abc import Mapping, Sequence
from typing import Any

from jaxseg.mmseg_config.reader.limits import (
    MAX_CHARACTERS,
    MAX_PADDING,
    Budget,
    LimitError,
)

# A key, flags, the width and the precision of one field.
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(\d*)(?:\.(\d*))?")


def format_value(value: Any, conversion: str | None, spec: str, budget: Budget) -> str:
    """One field of an f-string or of `str.format`.

    Args:
        value: data.
        conversion: "r" for `!r`, "s" for `!s`, or None.
        spec: what follows the colon, such as `.3f`.
        budget: pays for the text.
    """
    budget.weigh(value, spec)
    _check_numbers(re.findall(r"\d+", spec))
    if conversion == "r":
        value = repr(value)
    elif conversion == "s":
        value = str(value)
    elif conversion is not None:
        raise ValueError(f"!{conversion} in a format; allowed: !r and !s")
    return budget.made(format(value, spec))


def format_template(
    template: str, values: Sequence[Any], named: Mapping[str, Any], budget: Budget
) -> str:
    """`template.format(*values, **named)`."""
    parts, length, position = [], 0, 0
    for literal, field, spec, conversion in string.Formatter().parse(template):
        text = literal
        if field is not None:
            if "{" in spec:
                raise ValueError("a field inside the format of a field is not read")
            if not field:
                field, position = str(position), position + 1
            if field.isdigit():
                value = values[int(field)]
            elif field.isidentifier():
                value = named[field]
            else:
                raise ValueError(
                    f"the field {{{field}}} looks into a value; a field is a number or "
                    "a name"
                )
            text += format_value(value, conversion, spec, budget)
        length += len(text)
        if length > MAX_CHARACTERS:
            raise LimitError(f"a text of more than {MAX_CHARACTERS:,} characters")
        parts.append(text)
    return "".join(parts)


def format_percent(template: str, values: Any, budget: Budget) -> str:
    """`template % values`."""
    if "*" in template:
        raise ValueError("a `*` in a %-format is not read")
    # A named value may be written once for every %.
    longest = budget.weigh(values) + MAX_PADDING
    if template.count("%") * longest > MAX_CHARACTERS:
        raise LimitError(f"a text of perhaps more than {MAX_CHARACTERS:,} characters")
    for width, digits in _PERCENT.findall(template):
        _check_numbers([number for number in (width, digits) if number])
    return budget.made(template % values)


def _check_numbers(numbers):
    for digits in numbers:
        # Only so many digits are turned into a number.
        if len(digits) > 5 or int(digits) > MAX_PADDING:
            raise LimitError(f"a format wider than {MAX_PADDING} characters")

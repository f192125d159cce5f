"""Limits: how much time and memory a config of unknown origin may cost.

A text of a hundred characters can ask for more memory than there is (`'a' * 10**12`),
and ten lines of lists that hold each other twice unfold to a thousand copies. So every
operation is weighed before it is done, and all that one `read` does is paid from one
budget. The figures are far above every config of mmsegmentation 0.x and 1.x, of which
the largest takes 60 thousand units of work and unfolds to 10 thousand parts.
"""

from collections.abc import Iterable
from typing import Any

MAX_FILE_BYTES = 1 << 18  # the tree of such a text takes 150 MB
MAX_WORK = 2_000_000  # evaluated expressions and weighed values of a whole read
MAX_SIZE = 500_000  # values and characters inside one value, unfolded
MAX_ITEMS = 10_000  # of one list, tuple, set or dict
MAX_CHARACTERS = 100_000  # of one computed text
MAX_BITS = 1024  # of an integer; also holds what int() makes of any float
MAX_DEPTH = 60  # of lists and dicts inside each other
MAX_NESTING = 100  # of expressions inside each other
COMPARISONS = 8  # of two keys of one hash, for which one unit of work is charged
MAX_PADDING = 100  # the largest number in a format such as '{:>20.3f}'


class LimitError(Exception):
    """What was asked for is larger than a config may be."""


class Budget:
    """The work that is left to one `read`."""

    def __init__(self):
        self._left = MAX_WORK

    def charge(self, amount: int = 1) -> None:
        """Pays for work that is about to be done."""
        self._left -= amount
        if self._left < 0:
            raise LimitError(f"reading takes more than {MAX_WORK:,} steps")

    def weigh(self, *values: Any) -> int:
        """Counts and pays for values and characters, as often as they are reached.

        Whatever walks through a whole value (a copy, a comparison, its text, its hash)
        is weighed first: a value that holds another one twice unfolds exponentially,
        and one that holds itself has no end.
        """
        weight = 0
        stack = [(value, 0) for value in values]
        while stack:
            value, depth = stack.pop()
            weight += 1
            inside = ()
            if isinstance(value, (str, range)):
                weight += len(value)
            elif isinstance(value, dict):
                inside = (*value.keys(), *value.values())
                self.charge_hashes(value)
            elif isinstance(value, (list, tuple, set)):
                inside = value
                if isinstance(value, set):
                    self.charge_hashes(value)
            if inside and depth == MAX_DEPTH:
                raise LimitError(
                    f"more than {MAX_DEPTH} lists and dicts inside each other"
                )
            if weight + len(stack) + len(inside) > MAX_SIZE:
                raise LimitError(f"a value of more than {MAX_SIZE:,} parts")
            stack.extend((child, depth + 1) for child in inside)
        self.charge(weight)
        return weight

    def charge_hashes(self, keys: Iterable[Any]) -> None:
        """Pays for a dict or set that is made of keys, or copied.

        The hashes of texts differ from process to process; those of numbers are the
        numbers themselves modulo 2**61 - 1, and a thousand keys of one hash take a
        million comparisons. Every key that is no text is charged as if it had the hash
        of all the others.
        """
        count = sum(not isinstance(key, str) for key in keys)
        self.charge(count * count // COMPARISONS)

    def charge_lookup(self, key: Any, owner: Any) -> None:
        """Pays for one key that is set or looked up in a dict or set."""
        if not isinstance(key, str) and isinstance(owner, (dict, set)):
            self.charge(len(owner) // COMPARISONS)

    def made(self, value: Any) -> Any:
        """The result of an operation: checked, and paid for by its length."""
        checked(value)
        if isinstance(value, (str, list, tuple, set, dict)):
            self.charge(len(value))
        return value


def checked(value: Any) -> Any:
    """The result of a computation, if a config may hold it."""
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise LimitError(f"an integer of more than {MAX_BITS} bits")
    elif isinstance(value, str):
        if len(value) > MAX_CHARACTERS:
            raise LimitError(f"a text of more than {MAX_CHARACTERS:,} characters")
    elif isinstance(value, (list, tuple, set, dict)):
        if len(value) > MAX_ITEMS:
            raise LimitError(f"a {type(value).__name__} of more than {MAX_ITEMS:,}")
    elif isinstance(value, range):
        # len() of a range overflows; its rest does not.
        if value[MAX_ITEMS:]:
            raise LimitError(f"a range of more than {MAX_ITEMS:,}")
    elif value is not None and not isinstance(value, float):
        raise TypeError(f"the result is a {type(value).__name__}, which is no data")
    return value

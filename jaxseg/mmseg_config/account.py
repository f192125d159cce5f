"""Account: which variables of a config the translation has read."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jaxseg.config import nearest
from jaxseg.mmseg_config.report import Report


class Account(Mapping):
    """A config that remembers which of its variables it was asked for.

    A config is a program: besides the parts that mmseg reads it has variables that its
    own expressions use, `norm_cfg` and `train_pipeline`. What neither of the two has
    read changes nothing, and is told: a name may be misspelt, or a variable of a base
    set anew without the parts that it stands in.
    """

    def __init__(self, raw: Mapping[str, Any], unread: Collection[str]):
        """Starts with nothing read.

        Args:
            raw: a whole config.
            unread: the variables that no expression of its files has read.
        """
        self._raw, self._unread = raw, unread
        self._asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self._asked.add(key)
        return self._raw[key]

    def __contains__(self, key: object) -> bool:
        self._asked.add(str(key))
        return key in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def tell(self, report: Report) -> None:
        """Reports the variables that nothing has read, after the translation."""
        for key in self._raw:
            if key in self._unread and key not in self._asked:
                report.note(
                    f"{key}: nothing reads this variable{nearest(key, self._asked)}; "
                    "what it was to change has another name, or is set elsewhere"
                )

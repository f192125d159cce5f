"""`_base_` as the text of a config sees it, and plain data."""

from typing import Any


class BaseDict(dict):
    """A dict of `_base_`, which behaves as mmengine's ConfigDict does.

    What a config relies on: `update` merges deeply, `pop` of an absent key gives None,
    and a dict or list that is put in is copied. Access by attribute (`_base_.model`)
    is the evaluator's.
    """

    def __setitem__(self, key, value):
        super().__setitem__(key, to_base(value))

    def update(self, *others, **named):
        for other in (*others, named):
            for key, value in dict(other).items():
                if isinstance(self.get(key), dict) and isinstance(value, dict):
                    self[key].update(value)
                else:
                    self[key] = value

    def merge(self, other):
        """Merges deeply, as `update`, and replaces where `_delete_=True` is inside."""
        for key, value in other.items():
            mine = self.get(key)
            if not isinstance(value, dict):
                self[key] = value
                continue
            rest = {k: v for k, v in value.items() if k != "_delete_"}
            if isinstance(mine, BaseDict) and not value.get("_delete_", False):
                mine.merge(rest)
            else:
                self[key] = rest

    def pop(self, key, default=None):
        return super().pop(key, default)

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
            return default
        return self[key]

    def copy(self):
        result = BaseDict()
        for key, value in self.items():
            result[key] = value
        return result


class Variables(dict):
    """The variables of a config file and its bases.

    Attributes:
        unread: those whose last value no expression of the files has read. The others
            have an effect where they were read, `norm_cfg` in a model.
    """

    unread: frozenset[str] = frozenset()


def to_base(value: Any) -> Any:
    """Makes a BaseDict of every plain dict; lists and tuples are copied."""
    if type(value) is dict:
        result = BaseDict()
        for key, child in value.items():
            result[key] = child
        return result
    if isinstance(value, (list, tuple)):
        return type(value)(to_base(child) for child in value)
    return value


def to_plain(value: Any) -> Any:
    """A deep copy in which nothing is shared and every dict is a plain one."""
    if isinstance(value, dict):
        return {key: to_plain(child) for key, child in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(to_plain(child) for child in value)
    return value

"""Keys of an mmseg config: what becomes of each, found by changing it.

A translation that passes over a key gives the same config and the same notes whatever
the key says. So each place is changed and taken away, and the two translations are
compared: nothing has to be listed beside the translation, and nothing that it does not
really look at counts as used.
"""

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from input_pipeline import datasets, transforms
from input_pipeline.errors import DataError
from jaxseg import hooks, metrics
from jaxseg.errors import JaxsegError
from jaxseg.mmseg_config.reader.base_dict import Variables
from jaxseg.mmseg_config.translate import translate
from jaxseg.optim import schedulers
from jaxseg.registry import lookup
from jaxseg.resolve import MODEL_TABLES, build, resolve
from jaxseg.settings.read import read_settings

Path = tuple[str | int, ...]

FATES = ("used", "named in a note", "read by the file's own expressions", "vanishing")
USED, NAMED, OF_THE_FILE, SILENT = FATES

_TABLES = (*MODEL_TABLES, datasets, transforms, metrics, hooks, schedulers)

# No config has it, as a key or as a value.
STRANGE = "zz_strange"

# What the data of the validation and that of the test have alike is told once.
_TWINS = (
    (("test_dataloader",), ("val_dataloader",)),
    (("data", "test"), ("data", "val")),
)


def paths(node: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in nested dicts and lists."""
    if at:
        yield at
    items = node.items() if isinstance(node, Mapping) else ()
    items = enumerate(node) if isinstance(node, (list, tuple)) else items
    for key, value in items:
        yield from paths(value, (*at, key))


def dotted(path: Path) -> str:
    """A place as messages name it."""
    return ".".join(map(str, path)) or "the config"


def get(node: Any, path: Path) -> Any:
    """What stands at a place; KeyError, IndexError or TypeError where nothing does."""
    for key in path:
        node = node[key]
    return node


def put(node: Any, path: Path, value: Any) -> Any:
    """A copy with another value in one place, which may be a new key."""
    key, *rest = path
    copy = dict(node) if isinstance(node, Mapping) else list(node)
    copy[key] = put(copy[key], rest, value) if rest else value
    return copy


def without(node: Any, path: Path) -> Any:
    """A copy without one place."""
    key, *rest = path
    copy = dict(node) if isinstance(node, Mapping) else list(node)
    if rest:
        copy[key] = without(copy[key], rest)
    else:
        del copy[key]
    return copy


class Walk:
    """Goes through the places of one config.

    Attributes:
        raw: the config.
    """

    def __init__(self, raw: Variables, source: str, seen: dict | None = None):
        """Translates it as it is.

        Args:
            raw: the config.
            source: its file.
            seen: filled with what is found, and asked before: a model, and the rest of
                a config, that several configs have alike are gone through once.

        Raises:
            JaxsegError: if it cannot be translated.
        """
        self._seen = {} if seen is None else seen
        rest = {key: value for key, value in raw.items() if key != "model"}
        self._alike = (
            json.dumps(raw.get("model"), default=str),
            json.dumps([rest, sorted(raw.unread)], default=str),
        )
        self.raw, self._source = raw, source
        found = translate(raw, source)
        self._base = _Outcome(found.config, found.missing, found.notes)
        self._named: set[Path] = set()  # what is told as a whole, and all in it

    @functools.cached_property
    def fates(self) -> dict[Path, str]:
        """USED, NAMED, OF_THE_FILE or SILENT for every place.

        USED: the translated config, what jaxseg lacks or an error depends on it. NAMED:
        a note does, or one on what it stands in. OF_THE_FILE: a variable that is no
        part of a config, and that expressions of the files read.
        """
        found: dict[Path, str] = {}
        for path in paths(self.raw):
            above = path[:-1]
            if above in self._named or found.get(above) == OF_THE_FILE:
                found[path] = found[above]
                if above in self._named:
                    self._named.add(path)
            else:
                place = self._place(path, "fate")
                if place not in self._seen:
                    self._seen[place] = self._fate(path), path in self._named
                found[path], is_named = self._seen[place]
                if is_named:
                    self._named.add(path)
        return found

    def strangers(self) -> Iterator[tuple[Path, dict[str, Any] | None]]:
        """The dicts into which a key that nobody knows can be put without a word.

        Yields:
            The dict's place, and the translated config where the key has come through:
            what is built of it must refuse it. None where it has vanished.
        """
        for path in ((), *self.fates):
            if path in self._named or self.fates.get(path) == OF_THE_FILE:
                continue
            place = self._place(path, "stranger")
            if place in self._seen or not isinstance(get(self.raw, path), Mapping):
                continue
            self._seen[place] = True
            found = self._translate(
                self._variant(put(self.raw, (*path, STRANGE), STRANGE))
            )
            if self._kind(found) == SILENT:
                yield path, None
            elif dataclasses.replace(found, config=self._base.config) == self._base:
                yield path, found.config

    def _place(self, path, what):
        return what, self._alike[path[:1] != ("model",)], path

    def _fate(self, path):
        twin = self._twin(path)
        raw = without(self.raw, path)
        kind = self._kind_of(without(raw, twin) if twin else raw)
        if kind == NAMED:
            self._named.add(path)
        for other in _others(get(self.raw, path)):
            if kind != SILENT:
                return kind
            raw = put(self.raw, path, other)
            kind = self._kind_of(put(raw, twin, other) if twin else raw)
        is_of_file = len(path) == 1 and path[0] not in self.raw.unread
        return OF_THE_FILE if kind == SILENT and is_of_file else kind

    def _twin(self, path):
        for ours, theirs in _TWINS:
            if path[: len(ours)] == ours and len(path) > len(ours):
                twin = (*theirs, *path[len(ours) :])
                try:
                    same = get(self.raw, twin) == get(self.raw, path)
                except (KeyError, IndexError, TypeError):
                    same = False
                return twin if same else None
        return None

    def _variant(self, raw):
        variables = Variables(raw)
        variables.unread = self.raw.unread | (raw.keys() - self.raw.keys())
        return variables

    def _kind_of(self, raw):
        return self._kind(self._translate(self._variant(raw)))

    def _translate(self, raw):
        try:
            found = translate(raw, self._source)
        except JaxsegError as error:
            return _Outcome(error=str(error))
        return _Outcome(found.config, found.missing, found.notes)

    def _kind(self, other):
        if dataclasses.replace(other, notes=self._base.notes) != self._base:
            return USED
        return SILENT if other.notes == self._base.notes else NAMED


@dataclasses.dataclass(frozen=True)
class _Outcome:
    """Of a translation: its parts, or the error that it ended with."""

    config: dict[str, Any] | None = None
    missing: list[tuple[str, str]] | None = None
    notes: list[str] | None = None
    error: str | None = None


def _others(value: Any) -> Iterator[Any]:
    """Values that differ from one, of its type and of others."""
    yield STRANGE
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        yield value + 1
    yield {STRANGE: 1}


def is_refused(config: Mapping[str, Any]) -> bool:
    """Whether what is built of a translated config refuses STRANGE by its name.

    Args:
        config: with the key in one of its dicts; the data need not be there.
    """
    *above, _ = next(path for path in paths(config) if path[-1] == STRANGE)
    typed = above
    while typed and "type" not in get(config, typed):
        typed = typed[:-1]
    name = above[0]
    try:
        if typed == above:
            cls = lookup(get(config, typed)["type"], dotted(above), _TABLES)
            build(cls, {STRANGE: STRANGE}, dotted(above))
        elif typed:
            resolve(get(config, typed), dotted(typed), _TABLES)
        else:
            read_settings({name: config[name]}, (name.partition("_")[0],))
    except (JaxsegError, DataError) as error:
        return STRANGE in str(error)
    return False

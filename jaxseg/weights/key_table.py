"""Key table: where a family's weights have other names or another form than ours."""

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from jaxseg.weights.state_dict import StateDictError

Weights = Mapping[str, np.ndarray]
Renames = tuple[tuple[str, str], ...]


def _no_buffers(part):
    return {}


@dataclasses.dataclass(frozen=True)
class KeyTable:
    """How files of weights name and form those of a part of a model.

    A class of parts (`part.Part`) has one as `key_table`. Its keys are those below the
    part.

    Attributes:
        renames: pairs for `re.sub`, applied one after the other to a key that the
            model does not have.
        layouts: renames that hold in the place of `renames` for a file that has a
            certain key, by that key: of repositories that mean different weights by
            one name. They are applied to every key of the file: one that the model has,
            too, may mean another weight there.
        twins: starts of the keys under which a file has modules a second time, because
            they hang at two places of its model; they are left out.
        unused: starts of the keys, after that, which a file of pre-trained weights may
            have beyond the model's: classifiers, stages that the model leaves out.
        fields: fields of the part, False by default, by the key that a checkpoint has
            where they are True.
        buffers: takes a part and gives the arrays of whole numbers that mmseg's files
            have for it and that follow from its config, by key: tables of indices. A
            file may have them, with these values and no others, or lack them; what is
            written for mmseg has them.
        convert: takes weights by our names, and the part; gives them joined, split or
            permuted as the model has them. It leaves alone what the model has already,
            and what has a shape that it does not know: the error lists that. Of files
            of pre-trained weights; of mmseg's own, too, where `convert_back` is there.
        convert_back: the same the other way, from the model's weights to mmseg's. It is
            needed where the model has other weights than mmseg, and None where only
            other repositories have.
    """

    renames: Renames = ()
    layouts: Mapping[str, Renames] = dataclasses.field(default_factory=dict)
    twins: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    buffers: Callable[[Any], Weights] = _no_buffers
    convert: Callable[[Weights, Any], Weights] | None = None
    convert_back: Callable[[Weights, Any], Weights] | None = None
    _of_layout: bool = False

    def __post_init__(self):
        if self.convert_back is not None and self.convert is None:
            raise ValueError("convert_back needs convert, which it is the inverse of")

    def of_file(self, keys: Collection[str]) -> "KeyTable":
        """The table for the keys of one file, which say its layout."""
        for key, renames in self.layouts.items():
            if key in keys:
                return dataclasses.replace(
                    self, renames=renames, layouts={}, _of_layout=True
                )
        return self

    def rename(self, key: str, known: Collection[str]) -> str:
        """Our name of a weight.

        Args:
            key: the key of a file.
            known: the keys of the model, which `renames` leave as they are.
        """
        if self._of_layout or key not in known:
            for pattern, replacement in self.renames:
                key = re.sub(pattern, replacement, key)
        return key

    def is_twin(self, key: str, known: Collection[str]) -> bool:
        """Whether a file's key stands for a module that it has under another one."""
        return key.startswith(self.twins) and key not in known

    def is_unused(self, key: str, known: Collection[str]) -> bool:
        """Whether a weight belongs to a part that the model does not have at all."""
        start = next((s for s in self.unused if key.startswith(s)), None)
        return start is not None and not any(k.startswith(start) for k in known)

    def select(
        self, state_dict: Weights, known: Collection[str]
    ) -> tuple[dict[str, np.ndarray], list[str]]:
        """Takes a part's weights out of a file of pre-trained ones.

        Args:
            state_dict: the state dict of the file.
            known: the keys of the part.

        Returns:
            The weights under our names, not converted yet, and the keys that were left
            out because they are `unused` or `twins`.

        Raises:
            StateDictError: if two weights have one name.
        """
        table, named = self.of_file(state_dict), {}
        twins = [key for key in state_dict if self.is_twin(key, known)]
        for key in state_dict:
            if self.is_twin(key, known):
                continue
            name = table.rename(key, known)
            if name in named:
                raise StateDictError(f"{key} and {named[name]} are both {name}")
            named[name] = key
        unused = {name for name in named if self.is_unused(name, known)}
        kept = {n: state_dict[key] for n, key in named.items() if n not in unused}
        return kept, [key for name, key in named.items() if name in unused] + twins


def key_table_of(part: Any) -> KeyTable:
    """The table of a part or its class; an empty one where it has none."""
    return getattr(part, "key_table", KeyTable())

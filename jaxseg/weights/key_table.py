"""Where the weights of a family of backbones have other names than ours."""

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from jaxseg.weights.state_dict import StateDictError


@dataclasses.dataclass(frozen=True)
class KeyTable:
    """The names of a backbone's weights in the files of other repositories.

    A class of backbones has one as `key_table`. Its keys are those below the backbone.

    Attributes:
        renames: pairs for `re.sub`, applied one after the other to a key that the
            model does not have.
        unused: starts of the keys, after that, which a file of pre-trained weights may
            have beyond the model's: classifiers, stages that the model leaves out.
        fields: fields of the backbone, False by default, by the key that a checkpoint
            has where they are True.
    """

    renames: tuple[tuple[str, str], ...] = ()
    unused: tuple[str, ...] = ()
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def rename(self, key: str, known: Collection[str]) -> str:
        """Our name of a weight.

        Args:
            key: of a file.
            known: the keys of the model, which are left as they are.
        """
        if key not in known:
            for pattern, replacement in self.renames:
                key = re.sub(pattern, replacement, key)
        return key

    def is_unused(self, key: str, known: Collection[str]) -> bool:
        """Whether a weight belongs to a part that the model does not have at all."""
        start = next((s for s in self.unused if key.startswith(s)), None)
        return start is not None and not any(k.startswith(start) for k in known)

    def select(
        self, state_dict: Mapping[str, np.ndarray], known: Collection[str]
    ) -> tuple[dict[str, np.ndarray], list[str]]:
        """Takes a model's weights out of a file of pre-trained ones.

        Args:
            state_dict: of the file.
            known: the keys of the model.

        Returns:
            The weights under our names, and the keys that were left out because they
            are `unused`.

        Raises:
            StateDictError: if two weights have one name.
        """
        named = {}
        for key in state_dict:
            name = self.rename(key, known)
            if name in named:
                raise StateDictError(f"{key} and {named[name]} are both {name}")
            named[name] = key
        unused = [name for name in named if self.is_unused(name, known)]
        kept = {n: state_dict[key] for n, key in named.items() if n not in unused}
        return kept, [named[name] for name in unused]


def key_table_of(backbone: Any) -> KeyTable:
    """The table of a backbone or its class; an empty one where it has none."""
    return getattr(backbone, "key_table", KeyTable())

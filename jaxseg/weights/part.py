"""Parts of a model: what a config names, with a place of its own in a checkpoint."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
from flax import traverse_util

from jaxseg.errors import FieldError
from jaxseg.weights.key_table import KeyTable
from jaxseg.weights.names import torch_key
from jaxseg.weights.pretrained import Pretrained


class Part(nn.Module, kw_only=True):
    """The base of segmentors, backbones, necks, heads: a module that a config names.

    Modules in a tuple field are named as those in PyTorch's ModuleList: the second one
    of the field `heads` is `heads.1`, where Flax would call it `heads_1`.

    Attributes:
        init_cfg: the weights that it starts from, or None for fresh ones. A training
            reads them; the module itself does not.
        key_table: how files of weights name and form those of the class.
        frozen_modules: keys, below the part, of the modules and parameters that
            training leaves alone. The empty key is the whole part.
        frozen_exclude: texts; unless one is `all`, training leaves alone every
            parameter of the part whose key, below the part, has none of them in it.
        fresh_modules: names of modules or parameters anywhere in the part, or with a
            dot before them of its own modules alone, that files of pre-trained weights
            need not have: what they lack starts fresh.
        child_keys: the key of the module in a field, where that is not the field's
            name.
    """

    init_cfg: Pretrained | None = None

    key_table = KeyTable()
    frozen_modules = ()
    frozen_exclude = ("all",)
    fresh_modules = ()
    child_keys: ClassVar[Mapping[str, str]] = {}
    # Flax's switch: a module that has a name keeps it when it becomes a child.
    preserve_adopted_names = True

    def __post_init__(self):
        is_known = isinstance(self.init_cfg, Pretrained | None)
        if not is_known:
            raise FieldError(
                f"init_cfg: is {self.init_cfg!r}, allowed: None, or "
                "dict(type='Pretrained', checkpoint=...)"
            )
        for field in dataclasses.fields(self):
            value = getattr(self, field.name, None)
            if isinstance(value, tuple) or field.name in self.child_keys:
                setattr(self, field.name, _named(value, _child_key(self, field.name)))
        super().__post_init__()

    @property
    def config_path(self) -> str:
        """Where the config has it, `model.decode_head`; known while it is bound."""
        root = self
        while isinstance(root.parent, nn.Module):
            root = root.parent
        return config_path(".".join(self.path), root)


def _named(value, name):
    if isinstance(value, tuple):
        return tuple(_named(child, f"{name}.{i}") for i, child in enumerate(value))
    # A module that is bound has its name.
    is_free = isinstance(value, nn.Module) and value.parent is None
    return value.clone(name=name) if is_free and value.name != name else value


def _child_key(part, field):
    return getattr(part, "child_keys", {}).get(field, field)


def parts(model: nn.Module) -> dict[str, nn.Module]:
    """The modules in a model's fields, and in theirs, by their checkpoint key.

    Args:
        model: any module; it is among them, under the empty key.

    Returns:
        `{"": model, "backbone": ..., "decode_head.0": ...}`, parents first.
    """
    found = {"": model}
    for field in dataclasses.fields(model):
        if field.name != "parent":
            key = _child_key(model, field.name)
            _add(found, key, getattr(model, field.name))
    return found


def _add(found, key, value):
    if isinstance(value, tuple):
        for i, child in enumerate(value):
            _add(found, f"{key}.{i}", child)
    elif isinstance(value, nn.Module):
        for below, part in parts(value).items():
            found[join(key, below)] = part


def join(*keys: str) -> str:
    """Keys one below the other: 'backbone', 'conv1' -> 'backbone.conv1'."""
    return ".".join(filter(None, keys))


def is_below(key: str, part: str) -> bool:
    """Whether a key is a part (or a parameter) itself, or that of something in it."""
    return not part or f"{key}.".startswith(f"{part}.")


def key_below(key: str, part: str) -> str:
    """What a key is called inside a part: 'backbone.conv1', 'backbone' -> 'conv1'."""
    return key.removeprefix(f"{part}.") if part else key


def fields_path(key: str, model: nn.Module) -> tuple[str, ...]:
    """The fields, and places in their tuples, that lead to a part.

    Args:
        key: its checkpoint key, 'backbone.backbone'.
        model: the module that has it.

    Returns:
        ('backbone', 'backbone_cfg').
    """
    path, at, rest = [], model, key
    while rest:
        fields = {k: f for f, k in getattr(at, "child_keys", {}).items()}
        step = next((k for k in fields if is_below(rest, k)), rest.partition(".")[0])
        rest = rest[len(step) + 1 :]
        path.append(fields.get(step, step))
        is_tuple = isinstance(at, tuple)
        at = at[int(step)] if is_tuple else getattr(at, path[-1], None)
    return tuple(path)


def config_path(key: str, model: nn.Module) -> str:
    """Where the config has a part of a model: 'decode_head.0' -> 'model.decode_head.0'.

    Args:
        key: its checkpoint key.
        model: the segmentor.
    """
    return join("model", *fields_path(key, model))


def frozen_keys(model: nn.Module, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Checkpoint keys of the modules and parameters that training leaves alone.

    Those are the `frozen_modules` of each part, all but what `frozen_exclude` names,
    and the norms of those whose norm_cfg says `requires_grad=False`. A norm belongs to
    the innermost part with a norm_cfg.

    Args:
        model: the segmentor.
        params: its parameters.
    """
    found = parts(model)
    keys = [
        join(key, name)
        for key, part in found.items()
        for name in getattr(part, "frozen_modules", ())
    ]
    norm_cfgs = {
        f"{key}.": part.norm_cfg
        for key, part in found.items()
        if getattr(part, "norm_cfg", None) is not None
    }
    flat = traverse_util.flatten_dict(dict(params))
    for key, part in found.items():
        kept = getattr(part, "frozen_exclude", ("all",))
        keys += [
            name
            for name in map(torch_key, flat)
            if "all" not in kept and is_below(name, key)
            if not any(text in key_below(name, key) for text in kept)
        ]
    norms = {path[:-1] for path in flat if path[-1] == "scale"}
    for key in (torch_key(path) for path in flat if path[:-1] in norms):
        inside = [start for start in norm_cfgs if key.startswith(start)]
        if inside and not norm_cfgs[max(inside, key=len)].requires_grad:
            keys.append(key)
    return tuple(keys)

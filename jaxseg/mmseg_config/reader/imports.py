"""Imports of a config in mmengine's new style: names of types and bases, as data.

    from mmengine.config import read_base
    from mmseg.models import UPerHead
    with read_base():
        from .._base_.models.upernet_r50 import *
    model.update(dict(decode_head=dict(type=UPerHead, num_classes=2)))

A type is its name, and a base is a config file that is read as this one is; nothing
is imported.
"""

import ast
import sys
from typing import Any

# Packages whose types mmsegmentation finds by the bare name; torch's are registered
# there by mmengine and mmcv, some under other names.
_BARE = ("mmcv", "mmengine", "mmseg")
_SCOPES = ("mmaction", "mmcls", "mmdet", "mmdet3d", "mmpose", "mmpretrain", "mmrotate")
_OF_TORCH = {
    "BatchNorm1d": "BN1d",
    "BatchNorm2d": "BN",
    "BatchNorm3d": "BN3d",
    "GroupNorm": "GN",
    "InstanceNorm2d": "IN",
    "LayerNorm": "LN",
    "SyncBatchNorm": "SyncBN",
}


class Imports:
    """What the import statements of a file bind.

    Attributes:
        names: {name in the file: what it stands for, with dots}.
        modules: those that are neither of the OpenMMLab packages nor torch's, in which
            a user's own classes are.
    """

    def __init__(self):
        self.names: dict[str, str] = {}
        self.modules: list[str] = []

    def add(self, node: ast.Import | ast.ImportFrom) -> None:
        """Binds the names of an import statement outside `read_base()`.

        Raises:
            TypeError: if it imports what a config has no use for.
        """
        for alias in node.names:
            if isinstance(node, ast.Import):
                source, what = "", alias.name
                # `import torch.nn` binds torch.
                bound = alias.asname or alias.name.partition(".")[0]
                full = alias.name if alias.asname else bound
            else:
                source, what = "." * node.level + (node.module or ""), alias.name
                bound = alias.asname or alias.name
                full = f"{source}.{alias.name}"
            package = (source or what).partition(".")[0]
            if package in sys.stdlib_module_names or what == "*":
                raise TypeError(
                    "an import statement is not read; a config is data, and imports "
                    "the types of models, data sets and the like by their names, and "
                    "configs in `with read_base():`"
                )
            self.names[bound] = full
            if package not in (*_BARE, *_SCOPES, "torch"):
                self.modules.append(source or what)


def type_name(full: str) -> str:
    """The `type` that a class stands for: `mmdet.CrossEntropyLoss`, `SyncBN`."""
    package, name = full.split(".")[0], full.rpartition(".")[2]
    if package == "torch":
        return _OF_TORCH.get(name, name)
    return f"{package}.{name}" if package in _SCOPES else name


def bases_of_with(node: ast.With) -> list[ast.ImportFrom]:
    """The imports inside `with read_base():`.

    Raises:
        TypeError: if it is any other `with`.
    """
    (item, *others) = node.items
    call = item.context_expr
    is_read_base = (
        not others
        and item.optional_vars is None
        and isinstance(call, ast.Call)
        and not (call.args or call.keywords)
        and isinstance(call.func, ast.Name)
        and call.func.id == "read_base"
    )
    if not is_read_base:
        raise TypeError("a `with` statement other than `with read_base():` is not read")
    for child in node.body:
        if not isinstance(child, ast.ImportFrom) or not child.module:
            raise TypeError(
                "inside `with read_base():` only `from x import y` is read, x being a "
                "config"
            )
    return list(node.body)


def take(statement: ast.ImportFrom, config: dict[str, Any]) -> dict[str, Any]:
    """The variables of a base that `from x import ...` asks for, by their new names.

    Raises:
        TypeError: if the base has no such variable.
    """
    taken = {}
    for alias in statement.names:
        if alias.name == "*":
            taken |= {k: v for k, v in config.items() if not k.startswith("_")}
        elif alias.name in config:
            taken[alias.asname or alias.name] = config[alias.name]
        else:
            raise TypeError(f"{statement.module} sets no {alias.name!r}")
    return taken

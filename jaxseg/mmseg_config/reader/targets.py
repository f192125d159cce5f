"""Assignment targets: names, items, keys, and several of them."""

import ast
from typing import Any

from jaxseg.mmseg_config.reader.base_dict import BaseDict
from jaxseg.mmseg_config.reader.limits import checked


def assign(evaluator: Any, target: ast.expr, value: Any) -> None:
    """Sets a target to a value.

    Args:
        evaluator: the Expressions that the target belongs to, which import this file.
        target: a name, an item, an attribute, or a tuple or list of them.
        value: data.

    Raises:
        TypeError: for `_base_` and for what is no target.
        ValueError: if there are too few or too many values.
    """
    if isinstance(target, ast.Name):
        if target.id == "_base_":
            raise TypeError("`_base_` is set once, in a line of its own")
        if evaluator.placeholders.is_inside(target.id):
            raise TypeError("a placeholder {{...}} cannot be set")
        evaluator.scope[target.id] = value
        if evaluator.scope is evaluator.names:
            evaluator.read.discard(target.id)
    elif isinstance(target, (ast.Subscript, ast.Attribute)):
        owner, key = place(evaluator, target)
        evaluator.budget.weigh(value)
        owner[key] = value
        checked(owner)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(evaluator, target.elts, evaluator.iterate(value))
    else:
        raise TypeError(f"`{ast.unparse(target)}` cannot be set")


def _unpack(evaluator, targets, values):
    stars = [i for i, t in enumerate(targets) if isinstance(t, ast.Starred)]
    if stars:
        before, after = stars[0], len(targets) - stars[0] - 1
        if len(values) < before + after:
            raise ValueError(f"{len(values)} values for {len(targets)} names")
        end = len(values) - after
        values = [*values[:before], values[before:end], *values[end:]]
        targets = [t.value if isinstance(t, ast.Starred) else t for t in targets]
    if len(values) != len(targets):
        raise ValueError(f"{len(values)} values for {len(targets)} names")
    for target, value in zip(targets, values):
        assign(evaluator, target, value)


def place(
    evaluator: Any, node: ast.Subscript | ast.Attribute
) -> tuple[list | dict, Any]:
    """The list or dict that holds what is set or deleted, and the key in it."""
    owner = evaluator.evaluate(node.value)
    if isinstance(node, ast.Attribute):
        check_attribute(owner, node.attr)
        return owner, node.attr
    if not isinstance(owner, (list, dict)) or isinstance(node.slice, ast.Slice):
        raise TypeError("only an item of a list or a key of a dict can be set")
    return owner, evaluator.key(node.slice, owner)


def check_attribute(owner: Any, name: str) -> None:
    """Refuses attributes of all but `_base_` and its dicts, where they are keys."""
    if not isinstance(owner, BaseDict):
        raise TypeError(
            f"the attribute .{name} of a {type(owner).__name__} is not read; only "
            "`_base_` and the dicts in it have attributes"
        )
    if hasattr(dict, name):
        raise TypeError(f".{name} belongs to Python's dict; write [{name!r}] for a key")

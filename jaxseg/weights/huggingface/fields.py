"""Fields of a config.json, checked against what a family has."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxseg.weights.huggingface.errors import HuggingFaceError

Fields = dict[str, Any]


def read_fields(
    config: Mapping[str, Any],
    defaults: Mapping[str, Any],
    only: Mapping[str, Any],
    where: str,
) -> Fields:
    """The fields of a config that a family uses.

    Args:
        config: a config.json, or a part of one.
        defaults: transformers' default of each field, which also says its type; a
            tuple stands for a list of such values, None for what may have any type.
        only: fields of which jaxseg computes one value alone, and this value.
        where: the file, for errors.

    Raises:
        HuggingFaceError: for a value of another type, or one that jaxseg lacks.
    """
    fields = {name: config.get(name, default) for name, default in defaults.items()}
    for name, value in fields.items():
        if not _is_like(value, defaults[name]):
            raise HuggingFaceError(
                f"{where}: {name} is {value!r}, allowed: a value such as "
                f"{_shown(defaults[name])}"
            )
    for name, value in only.items():
        found = config.get(name, value)
        if found != value:
            raise HuggingFaceError(
                f"{where}: {name} is {found!r}, and jaxseg has models with {value!r} "
                "alone"
            )
    return {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}


def _is_like(value, default):
    if default is None:
        return True
    if isinstance(default, tuple):
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        return is_list and all(_is_like(entry, default[0]) for entry in value)
    if isinstance(default, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is type(default)


def _shown(default):
    return list(default) if isinstance(default, tuple) else default


def the_one(values: Sequence[Any], name: str, where: str) -> Any:
    """The value of all stages, where our models have one for all.

    Raises:
        HuggingFaceError: if the stages differ.
    """
    if len(set(values)) != 1:
        raise HuggingFaceError(
            f"{where}: {name} is {list(values)}, and jaxseg has models with one value "
            "for all stages"
        )
    return values[0]


def whole_ratio(fields: Fields, above: str, below: str, where: str) -> int:
    """One field over another, of which jaxseg has whole ratios alone.

    Raises:
        HuggingFaceError: for another ratio.
    """
    if fields[below] < 1 or fields[above] % fields[below]:
        raise HuggingFaceError(
            f"{where}: {above} is {fields[above]}, allowed: multiples of {below}, "
            f"{fields[below]}"
        )
    return fields[above] // fields[below]


def stages_of(fields: Fields, count: int, where: str) -> tuple[int, ...]:
    """The stages that a backbone returns, counted from 0.

    Args:
        fields: with `out_indices` and `out_features`, each of them a list or None;
            they count from 1, behind `stem`. Without both it is the last stage.
        count: the number of stages.
        where: the file, for errors.

    Raises:
        HuggingFaceError: for another list.
    """
    names = ["stem", *(f"stage{i + 1}" for i in range(count))]
    chosen = fields["out_features"] or fields["out_indices"] or names[-1:]
    numbers = [names.index(c) if c in names else c for c in chosen]
    numbers = [n + len(names) if n in range(-count, 0) else n for n in numbers]
    if not set(numbers) <= set(range(1, count + 1)):
        raise HuggingFaceError(
            f"{where}: out_features or out_indices is {list(chosen)}, allowed: "
            f"stage1 to stage{count}"
        )
    return tuple(n - 1 for n in numbers)

"""Test-time augmentation: MultiScaleFlipAug of 0.x, `tta_pipeline` of 1.x.

0.x always tests through MultiScaleFlipAug, mostly with one scale and no flip: then it
is only where the test scale stands. Several scales or flips are part of every test,
and scale the test scale. 1.x has a pipeline of their own for them, which is used with
`tools/test.py --tta` alone, and scales the image's own size.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.type_names import with_base_type

Placed = list[tuple[dict[str, Any], str]]  # transforms, and where each stands


_AUG_KEYS = ("img_scale", "img_ratios", "flip", "flip_direction", "transforms")


def as_plain_test(placed: Placed, report: Report) -> Placed:
    """Puts the transforms inside a MultiScaleFlipAug in its place.

    With one scale their Resize gets it; with several, or with flips, Resize is left
    out, as `tta` resizes.
    """
    plain: Placed = []
    for entry, path in placed:
        if entry["type"] == "MultiScaleFlipAug":
            plain += _inside(entry, path, report)
        else:
            plain.append((entry, path))
    return plain


def without_aligned_resize(placed: Placed) -> Placed:
    """Puts two transforms in the place of each AlignedResize of SegFormer's repository.

    It is a Resize, whose result is resized once more, to multiples of `size_divisor`.
    https://github.com/NVlabs/SegFormer
    """
    plain: Placed = []
    for entry, path in placed:
        if entry["type"] != "AlignedResize":
            plain.append((entry, path))
            continue
        entry = {**entry, "type": "Resize"}
        divisor = entry.pop("size_divisor", 32)
        multiple = {"type": "ResizeToMultiple", "size_divisor": divisor}
        plain += [(entry, path), (multiple, path)]
    return plain


def _inside(aug, path, report):
    tta, scale = read_multi_scale_flip_aug(aug, path, report)
    report.drop_others(path, aug, ("type", *_AUG_KEYS))
    placed = [
        (with_base_type(entry, f"{path}.transforms.{i}"), f"{path}.transforms.{i}")
        for i, entry in enumerate(transforms_of(aug, path))
    ]
    inner: Placed = []
    for entry, where in without_aligned_resize(placed):
        name = entry["type"]
        if name == "Pad" and entry.get("size") is not None:
            report.lacks(where, "Pad(size) at test time")
        if name == "RandomFlip":
            # MultiScaleFlipAug says whether and how it flips.
            report.drop(where, [key for key in entry if key != "type"])
            continue
        if tta is not None and "Resize" in name:
            _check_resize(entry, where, report)
            if "img_scale" not in tta and entry.get("min_size") is not None:
                report.lacks(where, "Resize(min_size) of the image's own scales")
            continue
        if name == "Resize":
            if scale is None:  # the image's own size
                report.drop_others(where, entry, ("type",))
                continue
            report.drop(where, [key for key in ("ratio_range",) if key in entry])
            entry.pop("ratio_range", None)
            entry["img_scale"] = scale
        inner.append((entry, where))
    return inner


def _check_resize(entry, where, report):
    """Reports a Resize that `tta` does not do."""
    name = entry["type"]
    if name != "Resize":
        report.lacks(where, f"{name} with several scales or flips")
        report.drop_others(where, entry, ("type",))
        return
    report.drop_others(where, entry, ("type", "keep_ratio", "min_size"))
    if not entry.get("keep_ratio", True):
        report.lacks(where, "Resize(keep_ratio=False) with several scales or flips")


def scales_of(img_scale: Any, path: str) -> list[tuple[int, int]]:
    """(w, h) of an `img_scale` of 0.x that is one of them, or a list, or None.

    Raises:
        ConfigError: if it is none of these.
    """
    if img_scale is None:
        return []
    several = isinstance(img_scale, (list, tuple)) and img_scale
    if several and not isinstance(img_scale[0], (list, tuple)):
        img_scale = [img_scale]
    if not several or not all(map(_is_scale, img_scale)):
        raise ConfigError(
            f"{path}.img_scale: expected (width, height) in pixels, or a list of them, "
            f"found {img_scale!r:.80}"
        )
    return [tuple(scale) for scale in img_scale]


def _is_scale(scale):
    sides = scale if isinstance(scale, (list, tuple)) else ()
    whole = all(isinstance(side, int) and side > 0 for side in sides)
    return len(sides) == 2 and whole


def transforms_of(aug: Mapping[str, Any], path: str) -> list[Any]:
    """The `transforms` inside a transform.

    Raises:
        ConfigError: if they are no list.
    """
    inside = aug.get("transforms") or []
    if not isinstance(inside, (list, tuple)):
        raise ConfigError(f"{path}.transforms: expected a list, found {inside!r:.80}")
    return list(inside)


def read_multi_scale_flip_aug(
    aug: Mapping[str, Any], path: str, report: Report
) -> tuple[dict[str, Any] | None, tuple[int, int] | None]:
    """What a MultiScaleFlipAug averages over.

    Args:
        aug: the transform.
        path: where it stands.
        report: is told of what our `tta` cannot do.

    Returns:
        (tta, scale): our `tta`, or None for a single version of the image; and (w, h)
        of this single version, or None for the image's own size.
    """
    given, ratios = aug.get("img_scale"), aug.get("img_ratios")
    ratios = [1.0] if ratios is None else ratios
    ratios = list(ratios) if isinstance(ratios, (list, tuple)) else [ratios]
    if not ratios or not all(isinstance(ratio, (int, float)) for ratio in ratios):
        raise ConfigError(
            f"{path}.img_ratios: expected numbers, found {aug['img_ratios']!r:.80}"
        )
    scales = scales_of(given, path)
    scale = scales[0] if scales else None
    if scales and isinstance(given[0], (list, tuple)):
        if len(scales) > 1:
            report.lacks(path, "MultiScaleFlipAug(img_scale) of several scales")
        ratios = [1.0]  # 0.x, too, forgets the ratios then
    # Without a RandomFlip inside nobody flips.
    entries = [
        with_base_type(t, f"{path}.transforms") for t in transforms_of(aug, path)
    ]
    inside = {entry["type"]: entry for entry in entries}
    flip = bool(aug.get("flip", False)) and "RandomFlip" in inside
    if len(ratios) == 1 and not flip and (scale is not None or ratios == [1.0]):
        return None, scale and tuple(int(side * ratios[0]) for side in scale)
    direction = aug.get("flip_direction", "horizontal")
    if flip and not isinstance(direction, str) and len(direction) > 1:
        report.note(
            f"{path}: mmseg counts the image that is not flipped {len(direction)} "
            "times, once for every flip_direction; it counts once here"
        )
    if scale is None:
        report.note(
            f"{path}: without img_scale, sizes are rounded half up as in mmseg 1.x; "
            "0.x cuts off, so that an image may differ by a pixel"
        )
    tta = {"img_ratios": ratios, "flip": flip, "flip_direction": direction}
    if scale is not None:
        tta["img_scale"] = tuple(scale)
        min_size = inside.get("Resize", {}).get("min_size")
        if min_size is not None:
            tta["min_size"] = min_size
    return tta, None


def read_tta_pipeline(
    entries: Sequence[Mapping[str, Any]], report: Report
) -> dict[str, Any] | None:
    """What `tta_pipeline` of 1.x averages over, as our `tta`.

    Args:
        entries: its transforms.
        report: is told of keys that have no effect: ours takes the pipeline of the
            data set.

    Returns:
        None if it is not what our `tta` does: the image's own size times some ratios,
        and the same flips of each.
    """
    entries = [with_base_type(entry, "tta_pipeline") for entry in entries]
    types = [entry["type"] for entry in entries]
    if sorted(types) != ["LoadImageFromFile", "TestTimeAug"]:
        return None
    load, aug = (types.index(name) for name in sorted(types))
    unused = _keys_but(entries[load], ("type",), f"{load}")
    unused += _keys_but(entries[aug], ("type", "transforms"), f"{aug}")
    ratios, directions = [], []
    for i, choices in enumerate(transforms_of(entries[aug], "tta_pipeline")):
        if not isinstance(choices, (list, tuple)):
            return None
        choices = [with_base_type(choice, "tta_pipeline") for choice in choices]
        types = {choice["type"] for choice in choices}
        for k, choice in enumerate(choices):
            used = _read_of(choice)
            unused += _keys_but(choice, used, f"{aug}.transforms.{i}.{k}")
        if types == {"Resize"} and not ratios:
            if not all(map(_keeps_ratio, choices)):
                return None
            ratios = [choice.get("scale_factor") for choice in choices]
        elif types == {"RandomFlip"} and not directions:
            directions = [_direction(choice) for choice in choices]
        elif not types <= {"LoadAnnotations", "PackSegInputs"}:
            return None
    flips = [direction for direction in directions if direction is not None]
    plain = all(isinstance(ratio, (int, float)) for ratio in ratios)
    if not ratios or not plain or len(directions) - len(flips) != bool(directions):
        return None
    report.drop("tta_pipeline", unused)
    tta = {"img_ratios": ratios, "flip": bool(flips)}
    if flips not in ([], ["horizontal"]):
        tta["flip_direction"] = flips
    return tta


def _keys_but(entry, read, path):
    """The keys of a transform without those that are read, with their paths."""
    return [f"{path}.{key}" for key in entry if key not in read]


def _read_of(choice):
    """The keys of a transform inside TestTimeAug that say something."""
    if choice["type"] == "Resize":
        return tuple(choice)  # see _keeps_ratio
    if choice["type"] == "RandomFlip":
        return ("type", "prob", *(["direction"] if choice.get("prob") else []))
    return ("type",)


def _keeps_ratio(resize):
    """Whether a Resize does no more than keep the ratio, as `tta` does."""
    known = set(resize) <= {"type", "scale_factor", "keep_ratio"}
    return known and resize.get("keep_ratio", False)


def _direction(choice):
    return choice.get("direction", "horizontal") if choice.get("prob") else None

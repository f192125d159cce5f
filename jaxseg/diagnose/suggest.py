"""Suggestions: settings that fit the labels, such as class weights and a label map."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxseg.diagnose.tally import ClassTally

# Masks of so many classes are told from a blurred one.
_FEW = 6


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """Settings of a data set, and why.

    Attributes:
        settings: what to write into the config of the data set; may be empty.
        reason: a sentence.
        certain: whether nothing else makes sense.
    """

    settings: dict[str, Any]
    reason: str
    certain: bool = False


def median_frequency_weights(tallies: Sequence[ClassTally]) -> list[float]:
    """Weights of median frequency balancing.

    Eigen, Fergus, https://arxiv.org/abs/1411.4734, section 6.2, as SegNet takes them:
    median(f) / f[c], where f[c] is the share of class c in the labelled pixels of
    those images in which it occurs, and the median is over the classes that occur.

    Returns:
        A weight a class; 1 for one that never occurs, on which it has no effect.
    """
    shares = [t.pixels / t.area if t.pixels else math.nan for t in tallies]
    if all(map(math.isnan, shares)):
        return [1.0] * len(shares)
    median = float(np.nanmedian(shares))
    return [1.0 if math.isnan(share) else median / share for share in shares]


def inverse_log_weights(tallies: Sequence[ClassTally], c: float = 1.02) -> list[float]:
    """Weights of ENet: 1 / ln(c + p), p a class's share of all labelled pixels.

    Paszke et al., https://arxiv.org/abs/1606.02147, section 5.2; with c = 1.02 they
    lie between 1 and 50.

    Returns:
        A weight a class; 1 for one that never occurs, on which it has no effect.
    """
    total = sum(t.pixels for t in tallies)
    return [1 / math.log(c + t.pixels / total) if t.pixels else 1.0 for t in tallies]


def inverse_frequency_weights(tallies: Sequence[ClassTally]) -> list[float]:
    """Weights that give each class the same sum over all labelled pixels.

    1 / (p * n), p a class's share of all labelled pixels, n the number of classes that
    occur: their mean over the pixels is 1.

    Returns:
        A weight a class; 1 for one that never occurs, on which it has no effect.
    """
    total = sum(t.pixels for t in tallies)
    present = sum(t.pixels > 0 for t in tallies)
    return [total / (present * t.pixels) if t.pixels else 1.0 for t in tallies]


def label_settings(
    ids: Mapping[int, ClassTally],
    outside: Mapping[int, ClassTally],
    num_classes: int | None,
    ignore_index: int,
    reduce_zero_label: bool,
    label_map: Mapping[int, int],
) -> list[Suggestion]:
    """What the ids in the files ask for.

    Args:
        ids: the ids of the files, nothing mapped.
        outside: those of them that are neither a class nor ignored as things stand.
        num_classes: the number of classes of the data set; None if it is not known.
        ignore_index, reduce_zero_label, label_map: as the data set has them.
    """
    if not ids:
        return []
    if _is_blurred(ids):
        most = sorted(ids, key=lambda one: -ids[one].pixels)[:_FEW]
        shown = ", ".join(map(str, sorted(m for m in most if ids[m].pixels > 0)))
        return [
            Suggestion(
                {},
                f"{len(ids)} ids, and a few of them ({shown}) have nearly all pixels: "
                "the labels were scaled with interpolation or saved with losses (JPEG), "
                "which invents values at edges. Threshold them, or export them again.",
            )
        ]
    plain = sorted(set(ids) - {ignore_index})
    if sorted(ids) == [0, 255] and num_classes in (None, 2):
        if 255 in label_map:
            return []
        reason = "the ids are exactly 0 and 255: a binary mask"
        return [Suggestion({"label_map": {0: 0, 255: 1}}, reason, certain=True)]
    if num_classes is None:
        return _of_unknown_classes(plain, ids, ignore_index)
    if outside:
        return _of_ids_outside(plain, sorted(outside), num_classes, ignore_index)
    if label_map:
        return []
    return _of_ids_that_fit(plain, num_classes, reduce_zero_label)


def _is_blurred(ids):
    """Whether many ids share the few pixels at the edges of a few others.

    Rare classes are rare in another way: they are missing from most images.
    """
    if len(ids) < 20:
        return False
    ordered = sorted(ids.values(), key=lambda t: -t.pixels)
    total = sum(t.pixels for t in ordered)
    ends = ids[min(ids)].pixels + ids[max(ids)].pixels
    if ends > 0.8 * total:
        return True
    most = max(t.images for t in ordered)
    rest = sorted(t.images for t in ordered[_FEW:])
    few_have_nearly_all = sum(t.pixels for t in ordered[:_FEW]) > 0.9 * total
    return few_have_nearly_all and rest[len(rest) // 2] > most / 2


def _of_unknown_classes(plain, ids, ignore_index):
    found = []
    if ignore_index in ids:
        reason = f"id {ignore_index} occurs: ignore_index, as it is by default"
        found.append(Suggestion({"ignore_index": ignore_index}, reason))
    if not plain:
        return found
    last = plain[-1]
    absent = sorted(set(range(min(plain[0], 1), last)) - set(plain))
    if len(absent) >= len(plain):
        reason = (
            f"{len(plain)} ids with gaps, up to {last}: this numbers them anew, if no id "
            "between is a class that is only missing here"
        )
        return [*found, Suggestion({"label_map": _ranks(plain)}, reason)]
    but = f" (but never {', '.join(map(str, absent))})" if absent else ""
    if plain[0] == 0:
        reason = f"the ids are 0..{last}{but}: {last + 1} classes, as they are"
        return [*found, Suggestion({}, reason)]
    reason = f"the ids are {plain[0]}..{last}{but}, without 0: {last} classes"
    return [*found, Suggestion({"reduce_zero_label": True}, reason)]


def _of_ids_outside(plain, outside, num_classes, ignore_index):
    if outside == [num_classes] and plain[0] > 0:
        reason = f"the ids are 1..{num_classes} for {num_classes} classes, without 0"
        return [Suggestion({"reduce_zero_label": True}, reason)]
    if len(plain) == num_classes:
        reason = (
            f"{num_classes} ids with gaps for {num_classes} classes: numbered anew, if "
            "the classes are named in the order of the ids"
        )
        return [Suggestion({"label_map": _ranks(plain)}, reason)]
    void = {i: ignore_index for i in outside[:20]}
    if outside == [num_classes]:
        return [
            Suggestion(
                {"reduce_zero_label": True},
                f"the ids are 0..{num_classes} for {num_classes} classes: this, if id "
                "0 means unlabelled or background that is no class",
            ),
            Suggestion({"label_map": void}, f"or this, if id {num_classes} is void"),
        ]
    reason = "this, if these ids are void; if they are classes, name them"
    return [Suggestion({"label_map": void}, reason)]


def _of_ids_that_fit(plain, num_classes, reduce_zero_label):
    if not plain or 0 in plain:
        return []
    last = num_classes if reduce_zero_label else num_classes - 1
    if reduce_zero_label and plain[-1] < last:
        reason = (
            f"reduce_zero_label is on, but the ids end at {plain[-1]} of {last}, and 0 "
            "never occurs: this, if the files were reduced before"
        )
        return [Suggestion({"reduce_zero_label": False}, reason)]
    if not reduce_zero_label and plain[0] == 1 and plain[-1] == last:
        reason = (
            f"the ids are 1..{last}, and 0 never occurs: this, without the first of "
            "the classes, if the files count from 1"
        )
        return [Suggestion({"reduce_zero_label": True}, reason)]
    return []


def _ranks(plain):
    return {old: new for new, old in enumerate(plain) if old != new}


def color_settings(
    colors: Mapping[tuple[int, int, int], int], named: bool
) -> list[Suggestion]:
    """What colour-coded labels ask for.

    Args:
        colors: {(r, g, b): pixels} that were found.
        named: whether the data set has classes, and so a palette.
    """
    if not colors:
        return []
    if all(len(set(color)) == 1 for color in colors):
        values = sorted(color[0] for color in colors)
        return [
            Suggestion(
                {},
                "the labels are stored as RGB, yet all their colours are grey (r = g = "
                f"b): {values[:20]}. Store one channel, and they are ids",
            )
        ]
    if named or len(colors) > 256:
        return []
    return [
        Suggestion(
            {"metainfo.palette": [list(color) for color in sorted(colors)]},
            f"{len(colors)} colours: one (r, g, b) a class, in the order of the classes",
        )
    ]

"""Report: a diagnosis as a text that a person reads, and as numbers for programs."""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxseg.diagnose.checks import normalised
from jaxseg.diagnose.diagnosis import Diagnosis
from jaxseg.diagnose.splits import Split
from jaxseg.diagnose.suggest import inverse_log_weights, median_frequency_weights
from jaxseg.diagnose.tally import ClassTally, Tally

_SIZES_SHOWN = 4
_IDS_SHOWN = 40
_WEIGHTS_SHOWN = 30


def as_text(diagnosis: Diagnosis) -> str:
    """Tables, suggestions, and what is wrong; the last line counts the errors."""
    blocks = []
    for split, tally in diagnosis.splits:
        if split.dataset is not None:
            blocks.append(_split_text(split, tally, diagnosis))
    suggested = _suggestions_text(diagnosis)
    if suggested:
        blocks.append(suggested)
    blocks += [str(finding) for finding in diagnosis.findings]
    errors = len(diagnosis.errors)
    blocks.append(f"{errors} errors, {len(diagnosis.findings) - errors} warnings")
    return "\n\n".join(blocks)


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """All numbers, in the types of JSON."""
    splits = {
        split.name: _split_json(split, tally, diagnosis)
        for split, tally in diagnosis.splits
        if split.dataset is not None
    }
    return {
        "splits": splits,
        "findings": [dataclasses.asdict(finding) for finding in diagnosis.findings],
        "suggestions": {
            name: [dataclasses.asdict(suggestion) for suggestion in found]
            for name, found in diagnosis.suggestions.items()
        },
        "dataset": diagnosis.dataset,
        "num_errors": len(diagnosis.errors),
    }


def class_names(split: Split, tally: Tally) -> dict[int, str]:
    """Name of each class, or of each id where the classes are not known."""
    if split.named:
        return dict(enumerate(split.dataset.metainfo["classes"]))
    return {one: f"id {one}" for one in sorted(tally.classes)}


def class_weights(split: Split, tally: Tally) -> dict[str, list[float]]:
    """The suggested weights, in the order of `class_names`."""
    tallies = [tally.classes.get(i, ClassTally()) for i in class_names(split, tally)]
    return {
        "median_frequency": median_frequency_weights(tallies),
        "inverse_log": inverse_log_weights(tallies),
    }


def _split_text(split, tally, diagnosis):
    lines = [f"== {split.name}: {tally.samples} samples, {split.path} =="]
    rows = [("images", _images_text(tally))]
    if tally.moments:
        rows += _moments_text(tally, diagnosis.model)
    drawn = collections.Counter(diagnosis.drawn.get(split.name, ()))
    if drawn:
        sizes = [f"{n} of {h}x{w}" for (h, w), n in drawn.most_common()]
        rows.append(("pipeline", f"samples drawn: {', '.join(sizes)}"))
    if tally.labels:
        rows.append(("labels", _kinds(tally.stored_labels)))
        if tally.ids:
            rows.append(("ids in them", _ids_text(tally)))
        if tally.colors:
            rows.append(("colours", _colors_text(tally)))
        rows.append(("read with", _meaning(split, tally)))
    width = max(len(name) for name, _ in rows) + 2
    lines += [f"{name:{width}}{text}" for name, text in rows]
    if tally.pixels:
        lines += ["", *_class_table(split, tally)]
    return "\n".join(lines)


def _images_text(tally):
    sizes = sorted(tally.sizes.items(), key=lambda item: -item[1][0])
    if not sizes:
        return "none can be read"
    shown = [f"{n} of {h}x{w}" for (h, w), (n, _) in sizes[:_SIZES_SHOWN]]
    text = f"{', '.join(shown)} (height x width)"
    if len(sizes) > _SIZES_SHOWN:
        least, most = _extremes(tally)
        text += (
            f" and {len(sizes) - _SIZES_SHOWN} other sizes, from {least[0]}x{least[1]} "
            f"to {most[0]}x{most[1]}"
        )
    types = [f"{n} of {c} x {dtype}" for (c, dtype), n in tally.types.most_common()]
    return f"{text}; {', '.join(types)}; stored as {_kinds(tally.stored_images)}"


def _extremes(tally):
    by_area = sorted(tally.sizes, key=lambda size: size[0] * size[1])
    return by_area[0], by_area[-1]


def _kinds(counter):
    return ", ".join(f"{n} {kind}" for kind, n in counter.most_common())


def _moments_text(tally, model):
    for channels, moments in tally.moments.items():
        order = " (RGB)" if channels == 3 else ""
        yield "mean", f"{_numbers(moments.mean)}{order}"
        yield "std", _numbers(moments.std)
    got = normalised(model.data_preprocessor, tally) if model else None
    if got is not None:
        text = f"mean {_numbers(got[0])}, std {_numbers(got[1])}"
        yield "normalised", f"{text} (by model.data_preprocessor)"


def _numbers(values):
    return " ".join(f"{value:.2f}" for value in values)


def _ids_text(tally):
    ids = sorted(tally.ids)
    runs, start = [], ids[0]
    for one, following in zip(ids, [*ids[1:], None], strict=True):
        if following != one + 1:
            runs.append(f"{start}..{one}" if one > start else str(one))
            start = following
    more = f", ... ({len(ids)} in all)" if len(runs) > _IDS_SHOWN else ""
    return ", ".join(runs[:_IDS_SHOWN]) + more


def _colors_text(tally):
    colors = sorted(tally.colors, key=lambda color: -tally.colors[color])
    shown = ", ".join(map(str, colors[:6])) + (", ..." if len(colors) > 6 else "")
    return f"{len(colors)} in {tally.colored} labels: {shown}"


def _meaning(split, tally):
    if not split.named:
        return "every id is counted, since the classes are not known"
    dataset, share = split.dataset, tally.ignored / max(1, tally.pixels)
    return (
        f"ignore_index={dataset.ignore_index}, {share:.2%} of the pixels; "
        f"reduce_zero_label={dataset.reduce_zero_label}; "
        f"label_map={dataset.label_map}"
    )


def _class_table(split, tally):
    names = class_names(split, tally)
    weights = class_weights(split, tally)
    total = max(1, sum(t.pixels for t in tally.classes.values()))
    head = ("class", "pixels", "share", "images")
    rows = [(*head, "w(median)", "w(log)") if split.named else head]
    for place, (one, name) in enumerate(names.items()):
        t = tally.classes.get(one, ClassTally())
        title = f"{one} {name.strip()}" if split.named else name
        row = (title, str(t.pixels), f"{t.pixels / total:.3%}", str(t.images))
        if split.named:
            suggested = (w[place] for w in weights.values())
            row += tuple(f"{w:.3f}" if t.pixels else "-" for w in suggested)
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first = row[0].ljust(widths[0])
        rest = (c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))
        yield "  ".join((first, *rest))


def _suggestions_text(diagnosis):
    lines = []
    for name, found in diagnosis.suggestions.items():
        for suggestion in found:
            settings = ", ".join(f"{k}={v!r}" for k, v in suggestion.settings.items())
            lines.append(f"  {name}: {settings or 'labels'}: {suggestion.reason}")
    for split, tally in diagnosis.splits:
        settled = split.named and not tally.outside
        if split.name != "val" and tally.classes and settled:
            weights = class_weights(split, tally)
            rounded = [round(w, 3) for w in weights["median_frequency"]]
            few = len(rounded) <= _WEIGHTS_SHOWN
            lines.append(
                f"  class_weight={rounded if few else '[report.json]'}: where rare classes matter; w(median), "
                "median frequency balancing (Eigen, Fergus 2015); w(log), "
                "1 / ln(1.02 + share) (ENet, 2016), is milder"
            )
    if diagnosis.dataset is not None:
        lines.append(f"  dataset={_call(diagnosis)}")
    return "\n".join(["suggestions", *lines]) if lines else ""


def _call(diagnosis):
    """The data set of two folders as it is written in a config."""
    dataset = diagnosis.proposed_dataset()
    return "dict(" + ", ".join(f"{k}={v!r}" for k, v in dataset.items()) + ")"


def _split_json(split, tally, diagnosis):
    names = class_names(split, tally)
    dataset = split.dataset
    least, most = _extremes(tally) if tally.sizes else (None, None)
    return {
        "path": split.path,
        "num_samples": tally.samples,
        "num_images": tally.images,
        "num_labels": tally.labels,
        "sizes": [[*size, n] for size, (n, _) in sorted(tally.sizes.items())],
        "smallest": least,
        "largest": most,
        "types": [[c, dtype, n] for (c, dtype), n in tally.types.items()],
        "stored_images": dict(tally.stored_images),
        "stored_labels": dict(tally.stored_labels),
        "pixel_statistics": {
            str(channels): {"mean": m.mean.tolist(), "std": m.std.tolist()}
            for channels, m in tally.moments.items()
        },
        "sizes_after_pipeline": diagnosis.drawn.get(split.name, []),
        "ids": _tallies_json(tally.ids),
        "ids_out_of_range": _tallies_json(tally.outside),
        "colors": [[*color, n] for color, n in tally.colors.most_common()],
        "classes": [
            {"class": one, "name": name}
            | _tally_json(tally.classes.get(one, ClassTally()))
            for one, name in names.items()
        ],
        "class_weight": class_weights(split, tally),
        "num_pixels": tally.pixels,
        "num_ignored": tally.ignored,
        "labels_without_a_class": len(tally.nothing),
        "copies": len(tally.copies),
        "ignore_index": dataset.ignore_index,
        "reduce_zero_label": dataset.reduce_zero_label,
        "label_map": {str(k): v for k, v in (dataset.label_map or {}).items()},
    }


def _tallies_json(tallies: Mapping[int, ClassTally]):
    return {str(one): _tally_json(t) for one, t in sorted(tallies.items())}


def _tally_json(tally):
    return {"pixels": tally.pixels, "images": tally.images}

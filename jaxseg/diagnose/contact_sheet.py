"""Contact sheet: some samples in one picture, each image beside its coloured label."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from input_pipeline.errors import DataError
from input_pipeline.palette import distinct_palette
from jaxseg.diagnose.sample import SampleReader, name_of
from jaxseg.diagnose.splits import Split
from jaxseg.diagnose.tally import Tally
from jaxseg.visualize import as_rgb, overlay

# Of what is no class, in the overlays; no palette of a known data set has it for more
# than a small class, and the legend says what it is.
OUTSIDE = (255, 0, 255)

_CELL = 220  # width and height that a panel fits into
_GAP = 6
_LINE = 16
_PAIRS_A_ROW = 3


def draw_contact_sheet(
    splits: Sequence[tuple[Split, Tally]], per_split: int
) -> Image.Image:
    """Draws samples of each split: image | label overlay.

    For each class, from the rarest on, the sample with most of it; then others, evenly
    over the split. Ignored pixels are black in the overlay.

    Args:
        splits: with their tallies; those without a data set are left out.
        per_split: samples of each.
    """
    font = ImageFont.load_default(11)
    cells, legend, any_outside = [], {}, False
    for split, tally in splits:
        if split.dataset is None:
            continue
        reader = SampleReader(split.dataset, split.named)
        for index in choose(split, tally, per_split):
            cell = _read_cell(split, reader, index)
            if cell is not None:
                panels, classes, outside = cell
                legend |= classes
                any_outside |= outside
                name = name_of(split.dataset, index)
                cells.append((f"{split.name}: {name}", panels))
    entries = [(name, color) for (_, name), color in sorted(legend.items())]
    if any_outside:
        entries.append(("NO CLASS", OUTSIDE))
    return _draw(cells, entries, font)


def choose(split: Split, tally: Tally, count: int) -> list[int]:
    """Samples to show, by index."""
    rarest = sorted(tally.classes.values(), key=lambda t: t.pixels)
    rich = [t.richest[1] for t in rarest][: (count + 1) // 2]
    wrong = [t.richest[1] for t in tally.outside.values()][:2]
    total = len(split.dataset)
    even = [i * total // count for i in range(count)]
    return sorted(list(dict.fromkeys([*wrong, *rich, *even]))[:count])


def _read_cell(split, reader, index):
    """(panels, {(class, name): colour}, whether pixels are no class), or None."""
    try:
        record = split.dataset[index]
        image, raw, _ = reader.pixels(record)
    except Exception:  # noqa: BLE001 - of a source; the report has it
        return None
    if image is None:
        return None
    image = as_rgb(image)
    small = cv2.resize(image, _fit(image.shape), interpolation=cv2.INTER_AREA)
    if raw is None:
        return [small], {}, False
    try:
        mapped = reader.map_label(record, raw)
    except DataError:  # colours without a palette: shown as they are
        panel = raw[..., :3] if raw.ndim == 3 and raw.dtype == np.uint8 else None
        panels = [small] if panel is None else [small, _nearest(panel, small)]
        return panels, {}, False

    ids = _nearest(mapped.ids, small)
    classes, is_class = mapped.table[ids], mapped.is_class()[ids]
    outside = ~is_class & (classes != mapped.ignore_index)
    if split.named:
        names = split.dataset.metainfo["classes"]
        palette = split.dataset.metainfo["palette"]
    else:
        names = [f"id {i}" for i in range(int(classes.max()) + 1)]
        palette = distinct_palette(len(names))
    # Ignored: past the colours, which is black.
    shown = np.where(is_class, classes, len(palette) + 1)
    shown[outside] = len(palette)
    panel = overlay(small, shown, [*palette, OUTSIDE], opacity=0.6)
    present = np.unique(classes[is_class])
    legend = {(int(i), names[i]): tuple(palette[i]) for i in present}
    return [small, panel], legend, bool(outside.any())


def _fit(shape):
    """(width, height) that fits into a cell."""
    scale = min(_CELL / shape[0], _CELL / shape[1])
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def _nearest(label, like):
    # By index, since cv2 resizes no uint16 of every kind.
    rows = np.arange(like.shape[0]) * label.shape[0] // like.shape[0]
    columns = np.arange(like.shape[1]) * label.shape[1] // like.shape[1]
    return np.ascontiguousarray(label[rows][:, columns])


def _draw(cells, entries, font):
    wide = 2 * _CELL + 3 * _GAP
    tall = max([p.shape[0] for _, panels in cells for p in panels], default=0)
    tall += _LINE + _GAP
    columns = max(1, min(_PAIRS_A_ROW, len(cells)))
    rows = -(-len(cells) // columns)
    width = columns * wide + _GAP
    places, legend_lines = _place(entries, font, width)
    height = rows * tall + _GAP + legend_lines * _LINE + _GAP
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (title, panels) in enumerate(cells):
        left = _GAP + place % columns * wide
        top = _GAP + place // columns * tall
        draw.text((left, top), _cut(title, font, wide - 2 * _GAP), "black", font)
        for i, panel in enumerate(panels):
            at = (left + i * (_CELL + _GAP), top + _LINE)
            sheet.paste(Image.fromarray(panel), at)
    for (name, color), (x, line) in zip(entries, places, strict=True):
        y = rows * tall + _GAP + line * _LINE
        draw.rectangle((x, y, x + 10, y + 10), fill=color, outline="black")
        draw.text((x + 14, y - 2), name, "black", font)
    return sheet


def _place(entries, font, width):
    """(x, line) of each entry of the legend, and the number of lines."""
    places, x, line = [], _GAP, 0
    for name, _ in entries:
        length = 14 + round(font.getlength(name)) + 12
        if x > _GAP and x + length > width:
            x, line = _GAP, line + 1
        places.append((x, line))
        x += length
    return places, line + 1 if entries else 0


def _cut(title, font, width):
    """The end of a title that is too long; file names differ at their end."""
    if font.getlength(title) <= width:
        return title
    while font.getlength("... " + title) > width:
        title = title[1:]
    return "... " + title

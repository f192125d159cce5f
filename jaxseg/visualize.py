"""Label maps as pictures: coloured, over their image, beside the ground truth."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Palette = Sequence[Sequence[int]]

# Sides of small images are multiplied up to about this many pixels, for the legend.
_PANEL = 256
_MARGIN = 8
_LINE = 18


def new_figure(width: float, height: float):
    """Makes a Matplotlib figure of its own: pyplot's stay open, and need a display.

    Matplotlib is imported here, where a picture is drawn: it would be a tenth of the
    start of every command.

    Args:
        width, height: in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Makes any image displayable.

    Args:
        image: (H, W) or (H, W, C) of any real dtype and channel count.

    Returns:
        (H, W, 3) uint8: grey repeated, the first three of many channels; types other
        than uint8 stretched from their minimum and maximum to 0 and 255.
    """
    if image.ndim == 2:
        image = image[..., None]
    image = image[..., :3] if image.shape[-1] >= 3 else image[..., :1]
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        image = (image.astype(np.float64) - low) * (255 / max(high - low, 1e-12))
        image = image.astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def colorize(label_map: np.ndarray, palette: Palette) -> np.ndarray:
    """Returns the (H, W, 3) uint8 colours of an (H, W) integer label map.

    What is no class (the ignore index) is black.
    """
    colors = np.zeros((len(palette) + 1, 3), np.uint8)
    colors[:-1] = palette
    labels = np.asarray(label_map)
    is_class = (labels >= 0) & (labels < len(palette))
    return colors[np.where(is_class, labels, len(palette))]


def overlay(
    image: np.ndarray,
    label_map: np.ndarray,
    palette: Palette,
    opacity: float = 0.5,
) -> np.ndarray:
    """Paints a label map over its image.

    The arithmetic is MMSegmentation's (`SegLocalVisualizer`, without its text): a sum
    in float64, cut off to uint8; pixels of no class are mixed with black.

    Args:
        image: (H, W, 3) uint8 RGB.
        label_map: (H, W) integers.
        palette: RGB of each class, 0 to 255.
        opacity: Weight of the colour, in (0, 1]. mmseg's `show_result` takes 0.5, its
            hook for validation images 0.8.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"image is {image.dtype}{list(image.shape)}; uint8[H, W, 3] is needed "
            "(`as_rgb` makes it)"
        )
    if image.shape[:2] != label_map.shape:
        raise ValueError(
            f"image is {image.shape[0]}x{image.shape[1]}, its label map has shape "
            f"{list(label_map.shape)}"
        )
    if not 0 < opacity <= 1:
        raise ValueError(f"opacity is {opacity}; allowed: above 0, up to 1")
    colors = colorize(label_map, palette)
    return (image * (1 - opacity) + colors * opacity).astype(np.uint8)


def save_prediction_grid(
    path: str | Path,
    image: np.ndarray,
    ground_truth: np.ndarray | None,
    prediction: np.ndarray,
    classes: Sequence[str],
    palette: Palette,
    opacity: float = 0.5,
) -> None:
    """Writes image | ground truth | prediction, with a legend of the classes in them.

    Args:
        path: Picture to write, e.g. a PNG.
        image: Any image that `as_rgb` takes.
        ground_truth: (H, W) labels, or None: then that panel is left out.
        prediction: (H, W) labels.
        classes: Names, as many as the palette has colours.
        palette: RGB of each class.
        opacity: See `overlay`.
    """
    if len(classes) != len(palette):
        raise ValueError(f"{len(classes)} classes, but {len(palette)} colours")
    image = as_rgb(image)
    panels = [("image", image)]
    if ground_truth is not None:
        panels.append(("ground truth", overlay(image, ground_truth, palette, opacity)))
    panels.append(("prediction", overlay(image, prediction, palette, opacity)))
    label_maps = [x for x in (ground_truth, prediction) if x is not None]
    present = np.unique(np.concatenate([x.ravel() for x in label_maps]))
    present = [int(i) for i in present if 0 <= i < len(classes)]
    _draw_grid(panels, [(classes[i], palette[i]) for i in present]).save(path)


def save_depth_grid(
    path: str | Path,
    image: np.ndarray,
    ground_truth: np.ndarray | None,
    prediction: np.ndarray,
) -> None:
    """Writes image | ground truth | prediction of depths, the farther the brighter.

    Args:
        path: Picture to write, e.g. a PNG.
        image: Any image that `as_rgb` takes.
        ground_truth: (H, W) depths, 0 where none is known, which is black; or None: then
            that panel is left out.
        prediction: (H, W) depths. One scale holds for both.
    """
    maps = {"ground truth": ground_truth, "prediction": prediction}
    maps = {title: depth for title, depth in maps.items() if depth is not None}
    largest = max(float(np.nanmax(depth)) for depth in maps.values())
    panels = [("image", as_rgb(image))]
    for title, depth in maps.items():
        grey = np.clip(depth * (255 / max(largest, 1e-12)), 0, 255).astype(np.uint8)
        panels.append((title, as_rgb(grey)))
    _draw_grid(panels, []).save(path)


def _draw_grid(panels, legend) -> Image.Image:
    height, width = panels[0][1].shape[:2]
    scale = max(1, _PANEL // max(height, width))
    height, width = height * scale, width * scale
    font = ImageFont.load_default(13)
    total = len(panels) * (width + _MARGIN) + _MARGIN
    entries = _place_legend(legend, font, total)
    lines = entries[-1][1] + 1 if entries else 0
    top = _MARGIN + _LINE
    size = (total, top + height + _MARGIN + lines * _LINE)
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for i, (title, pixels) in enumerate(panels):
        left = _MARGIN + i * (width + _MARGIN)
        draw.text((left, _MARGIN // 2), title, "black", font)
        panel = Image.fromarray(pixels).resize((width, height), Image.NEAREST)
        canvas.paste(panel, (left, top))
    for (name, color), (x, line) in zip(legend, entries):
        y = top + height + _MARGIN + line * _LINE
        box = (x, y, x + 12, y + 12)
        draw.rectangle(box, fill=tuple(map(int, color)), outline="black")
        draw.text((x + 17, y - 2), name, "black", font)
    return canvas


def _place_legend(legend, font, total: int) -> list[tuple[int, int]]:
    """Returns (x, line) of each entry, in lines that are `total` pixels wide."""
    places, x, line = [], _MARGIN, 0
    for name, _ in legend:
        width = 17 + round(font.getlength(name)) + 14
        if x > _MARGIN and x + width > total:
            x, line = _MARGIN, line + 1
        places.append((x, line))
        x += width
    return places

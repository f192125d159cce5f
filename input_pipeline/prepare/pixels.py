"""Pixels of published files: what a task makes of an image or a label.

Each function is the `make` of a task: it takes members and yields files.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline.decode import decode_image, decode_label
from input_pipeline.errors import DataError
from input_pipeline.formats.limits import BYTES_PER_PIXEL, MAX_PIXELS
from input_pipeline.formats.mat import decode_mat
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Outputs
from input_pipeline.prepare.output import as_png

# The largest file that is decoded or copied: of MAX_PIXELS pixels of three 16-bit values.
_MOST_BYTES = MAX_PIXELS * 6

# How far a grey of a mask may be from grey: DRIVE's second observer has (4, 2, 4) and
# (252, 254, 252), colours of a palette of few bits.
_GREY_WITHIN = 8

# What share of a label may have colours of no class, where they are not refused: some
# published labels have strokes that nobody drew.
_STRANGE = 0.01


def copied(member: Member, to: str) -> Outputs:
    """The file as it is."""
    yield to, read_member(member)


def text(content: str, to: str) -> Outputs:
    """A text file."""
    yield to, content.encode()


def image_png(member: Member, to: str) -> Outputs:
    """An image as RGB PNG."""
    yield to, as_png(read_rgb(member))


def mask_png(member: Member, to: str) -> Outputs:
    """A mask of black and white as PNG: 1 where it is 128 or more."""
    yield to, as_png(read_mask(member))


def ids_png(
    member: Member, to: str, table: Sequence[tuple[int, int]], others: int | None = None
) -> Outputs:
    """A label file as PNG, its ids replaced.

    Args:
        member: of one channel.
        to: where to.
        table: (id in the file, id in the result).
        others: the result of all other ids; None refuses them.
    """
    label = read_ids(member)
    yield to, as_png(replace_ids(label, dict(table), others, str(member)))


def matrix_png(
    member: Member,
    to: str,
    variable: str,
    table: Sequence[tuple[int, int]],
    others: int | None = None,
) -> Outputs:
    """A matrix of a .mat file as PNG, its ids replaced; as `ids_png`.

    Args:
        member: the file.
        to: where to.
        variable: name of the matrix, or 'struct.field'.
        table, others: as of `ids_png`.
    """
    data = read_member(member, MAX_PIXELS * BYTES_PER_PIXEL)
    label = decode_mat(io.BytesIO(data), str(member), MAX_PIXELS, variable)
    yield to, as_png(replace_ids(label, dict(table), others, str(member)))


def colours_png(
    member: Member,
    to: str,
    palette: Sequence[tuple[int, tuple[int, int, int]]],
    others: int | None = None,
) -> Outputs:
    """A colour label as PNG of ids.

    Args:
        member: RGB or RGBA.
        to: where to.
        palette: (id, (r, g, b)).
        others: the id of all other colours; see `colours_to_ids`.
    """
    rgb = read_colours(member)
    yield to, as_png(colours_to_ids(rgb, palette, others, str(member)))


def grey_ids_png(member: Member, to: str, table: Sequence[tuple[int, int]]) -> Outputs:
    """A label drawn in greys as PNG of ids; as `ids_png`."""
    label = replace_ids(read_grey(member), dict(table), None, str(member))
    yield to, as_png(label)


def read_rgb(member: Member) -> np.ndarray:
    """An image, (H, W, 3) uint8."""
    return decode_image(read_member(member, _MOST_BYTES), str(member))


def read_ids(member: Member) -> np.ndarray:
    """A label, (H, W) integers.

    Raises:
        DataError: it has colours.
    """
    label = decode_label(read_member(member, _MOST_BYTES), str(member))
    if label.ndim == 3:
        raise DataError(
            f"{member}: a label of {label.shape[2]} channels; expected is one, of ids."
        )
    return label


def read_colours(member: Member) -> np.ndarray:
    """A colour label, (H, W, 3) uint8; a palette's indices as their colours."""
    return decode_image(read_member(member, _MOST_BYTES), str(member))


def read_mask(member: Member) -> np.ndarray:
    """A mask of black and white, (H, W) uint8 of 0 and 1.

    Raises:
        DataError: it has colours.
    """
    # Scans and JPEG-ed masks have greys between; mmseg cuts them here as well.
    return _read_grey(member, _GREY_WITHIN) // 128


def read_grey(member: Member) -> np.ndarray:
    """A label drawn in greys, (H, W) uint8, however the file has them.

    Raises:
        DataError: it has colours.
    """
    return _read_grey(member, 0)


def _read_grey(member, within):
    """The first channel, of which the others differ by `within` at most."""
    rgb = decode_image(read_member(member, _MOST_BYTES), str(member))
    spread = np.ptp(rgb, axis=2)
    if spread.max() > within:
        row, column = np.unravel_index(spread.argmax(), spread.shape)
        colour = tuple(rgb[row, column].tolist())
        raise DataError(
            f"{member}: has colours, as {colour} at row {row}, column {column}; "
            "expected are black, white and greys."
        )
    return rgb[..., 0]


def replace_ids(
    label: np.ndarray, table: Mapping[int, int], others: int | None, source: str
) -> np.ndarray:
    """Ids replaced by a table.

    Args:
        label: (H, W) integers.
        table: {id: result from 0 to 255}.
        others: the result of all other ids; None refuses them.
        source: for errors.

    Returns:
        (H, W) uint8.
    """
    found, places = np.unique(label, return_inverse=True)
    unknown = [int(value) for value in found if int(value) not in table]
    if unknown and others is None:
        raise DataError(
            f"{source}: holds the ids {unknown[:20]}, which the published data set does "
            f"not have; known are {sorted(table)[:10]} and so on, {len(table)} in all."
        )
    results = [table.get(int(value), others) for value in found]
    return np.array(results, np.uint8)[places].reshape(label.shape)


def colours_to_ids(
    rgb: np.ndarray,
    palette: Sequence[tuple[int, tuple[int, int, int]]],
    others: int | None,
    source: str,
) -> np.ndarray:
    """Colours replaced by ids.

    Args:
        rgb: (H, W, 3) uint8.
        palette: (id, (r, g, b)).
        others: the id of all other colours, of which a label may have 1 %; None refuses
            them.
        source: for errors.

    Returns:
        (H, W) uint8.

    Raises:
        DataError: more other colours than allowed.
    """
    codes = rgb.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    table = {r * 65536 + g * 256 + b: index for index, (r, g, b) in palette}
    found, counts = np.unique(codes, return_counts=True)
    strange = [code not in table for code in found.tolist()]
    share = counts[strange].sum() / codes.size
    if share > (0 if others is None else _STRANGE):
        most = found[strange][np.argsort(-counts[strange])][:5].tolist()
        colours = [(code >> 16, code >> 8 & 255, code & 255) for code in most]
        raise DataError(
            f"{source}: {share:.2%} of the pixels have colours that the published "
            f"palette does not have, {sum(strange)} in all, such as {colours}. Was the "
            "label compressed with loss, or resized?"
        )
    return replace_ids(codes, table, others, source)

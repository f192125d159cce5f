"""Logits for the postprocessing: of whole images, or of all windows of an image."""

import collections
import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxseg.inference.buckets.network import MaskedNetwork
from jaxseg.inference.buckets.plan import Size, pad_to
from jaxseg.inference.postprocess import resize_tables, stack
from jaxseg.inference.programs import Programs
from jaxseg.inference.slide import Grid, window_corners


class WholeSource:
    """Mode `whole`: every image at once."""

    def __init__(self, programs: Programs, networks: Mapping[Size, MaskedNetwork]):
        """Remembers what runs.

        Args:
            programs: the programs of the segmentor.
            networks: by the size of their bucket.
        """
        self._programs = programs
        self._networks = networks

    def __call__(
        self, variables: Any, images: Sequence[np.ndarray], size: Size, padded: bool
    ) -> tuple[dict[str, Any], list[Size]]:
        """The logits of images.

        Args:
            variables: params and batch_stats, on the devices.
            images: N of (H, W, C), as loaded.
            size: (height, width) of their bucket.
            padded: whether images may be smaller.

        Returns:
            A source of `finish.finish`, and the (height, width) of each image in it.
        """
        run = self._padded if padded else self._exact
        (logits, per_image), valid = run(variables, images, size)
        return {"logits": logits, "per_image": per_image}, valid

    def _exact(self, variables, images, size):
        """The maps of images of one size, and their valid sizes."""
        maps = self._programs.network(variables, np.stack(images))
        return maps, [maps[0].shape[1:3]] * len(images)

    def _padded(self, variables, images, size):
        """As `_exact`, of images of any sizes that a bucket takes."""
        network = self._networks[size]
        shapes = [image.shape[:2] for image in images]
        arrays = network.sizes.arrays(shapes)
        padded = pad_to(images, network.sizes.size)
        maps = self._programs.masked(network, variables, padded, arrays)
        return maps, list(map(network.logits_size, shapes))


class SlideSource:
    """Mode `slide`: the windows of all images together, over the images' borders."""

    def __init__(
        self,
        programs: Programs,
        networks: Mapping[Size, MaskedNetwork],
        crop: Size,
        stride: Size,
        align_corners: bool,
    ):
        """Remembers how images are cut.

        Args:
            programs: the programs of the segmentor.
            networks: that of windows below the crop stands under the crop's size.
            crop, stride: the size and the stride of the windows, (height, width).
            align_corners: `align_corners` of the resize of the logits to the size of
                their window.
        """
        self._programs = programs
        self._run = WholeSource(programs, networks)
        self._crop = crop
        self._stride = stride
        self._align_corners = align_corners

    def __call__(
        self, variables: Any, images: Sequence[np.ndarray], size: Size, padded: bool
    ) -> tuple[dict[str, Any], list[Size]]:
        """As `WholeSource`, of the windows of images and how they are put together."""
        grids = [Grid(image.shape[:2], self._crop, self._stride) for image in images]
        cuts = [grid.cut(image) for grid, image in zip(grids, images, strict=True)]
        windows = [window for cut in cuts for window in cut]
        logits, per_window, valid = self._run_windows(
            variables, windows, padded, len(images)
        )
        how = {"align_corners": self._align_corners, "dtype": logits.dtype}
        block = self._crop if padded else grids[0].window
        canvas = tuple(map(max, size, block))
        most = len(window_corners(size, self._crop, self._stride))
        ends = np.cumsum([len(grid.corners) for grid in grids])
        each, per_image = jax.tree.map(
            functools.partial(_by_image, ends=ends, most=most), (logits, per_window)
        )
        corners = np.zeros((len(images), most, 2), np.int32)
        tables, first = [], 0
        for i, grid in enumerate(grids):
            number = len(grid.corners)
            corners[i, :number] = grid.corners
            tables.append(resize_tables(valid[first], grid.window, block, **how))
            first += number
        source = {
            "logits": each,
            "per_image": per_image,
            "tables": stack(tables),
            "corners": corners,
            "number": np.array([len(grid.corners) for grid in grids], np.int32),
            "covers": stack([grid.covers(canvas) for grid in grids]),
        }
        return self._programs.put(source), [image.shape[:2] for image in images]

    def _run_windows(self, variables, windows, padded, batch):
        """Logits and `per_image` of K windows, on the host, and the valid sizes.

        They run in batches; the last one is filled up with copies.
        """
        kinds = collections.defaultdict(list)
        for i, window in enumerate(windows):
            kinds[padded and window.shape[:2] != self._crop].append(i)
        done = []
        for is_small, places in kinds.items():
            for start in range(0, len(places), batch):
                some = places[start : start + batch]
                chosen = [windows[i] for i in some]
                chosen += chosen[-1:] * (batch - len(chosen))
                source, valid = self._run(variables, chosen, self._crop, is_small)
                done.append((some, source, valid))
        shape = np.max([source["logits"].shape[1:] for _, source, _ in done], axis=0)
        result = np.zeros((len(windows), *shape), done[0][1]["logits"].dtype)
        valid, per_window = [None] * len(windows), [None] * len(windows)
        for some, source, sizes in done:
            source = jax.tree.map(np.asarray, source)
            for place, (i, size) in enumerate(zip(some, sizes, strict=False)):
                one = source["logits"][place]
                result[i, : one.shape[0], : one.shape[1]] = one
                per_window[i] = jax.tree.map(
                    operator.itemgetter(place), source["per_image"]
                )
                valid[i] = size
        return result, stack(per_window), valid


def _by_image(array, ends, most):
    """(windows of all images, ...) -> (images, most, ...), 0 past an image's own."""
    result = np.zeros((len(ends), most, *array.shape[1:]), array.dtype)
    for own, windows in zip(result, np.split(array, ends[:-1]), strict=True):
        own[: len(windows)] = windows
    return result

"""Predictor: from images of any size to logits, probabilities and label maps, as mmseg.

The network runs alone, at the size of its images (mode `whole`) or of its windows
(mode `slide`); one more program does all that follows: windows put together, flipped
back, resized to the original size, argmax. Images run at their own size, or padded to
that of a bucket, which is masked. docs/evaluation.md says how often what is
compiled.
"""

import collections
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxseg.inference.buckets.choose import BucketChoice
from jaxseg.inference.buckets.network import MaskedNetwork
from jaxseg.inference.buckets.plan import Bucket, Item, Size, exact_bucket, pad_to
from jaxseg.inference.logits import SlideSource, WholeSource
from jaxseg.inference.postprocess import flipped, resize_stages
from jaxseg.inference.programs import Programs
from jaxseg.metrics.metric import Metric


@dataclasses.dataclass(frozen=True)
class _Run:
    """What all versions of some images have in common.

    Attributes:
        variables: params and batch_stats.
        sizes: (height, width) of each result.
        bucket: the bucket of the images.
        how: what is wanted: `classes`, `logits`, `probability` or `counts`.
    """

    variables: Any
    sizes: list
    bucket: Bucket
    how: str


class Predictor:
    """Runs a segmentor on images as they are loaded.

    Attributes:
        model: the segmentor; its `test_cfg` says how images are cut.
        programs: what it compiles.
    """

    def __init__(
        self,
        model: Any,
        devices: Sequence[jax.Device] | None = None,
        xla_flags: Mapping[str, Any] | None = None,
    ):
        """Prepares, without compiling anything.

        Args:
            model: the segmentor.
            devices: over which the images of a batch are split; by default those of
                this host.
            xla_flags: flags of XLA for the network's programs.
        """
        self.model = model
        test_cfg = model.test_cfg
        self._mode = test_cfg.mode
        self._preprocessor = model.data_preprocessor
        self._pads = self._preprocessor.test_cfg is not None
        crop = test_cfg.window
        self._choice = BucketChoice(model, crop)
        self.programs = Programs(
            model, jax.local_devices() if devices is None else devices, xla_flags
        )
        self._align_corners = model.align_corners
        parts = self.programs, self._choice.networks
        if crop is not None:
            self._source = SlideSource(
                *parts, crop, test_cfg.stride, self._align_corners
            )
        else:
            self._source = WholeSource(*parts)

    @property
    def devices(self) -> tuple[jax.Device, ...]:
        """Where it runs."""
        return self.programs.devices

    @property
    def compilations(self) -> dict[str, int]:
        """How often `network` and `rest`, what follows it, were compiled."""
        return self.programs.compilations

    def count_of_compilations(self) -> str:
        """`compilations` as a line for the user."""
        counts = self.compilations
        return f"compiled: network {counts['network']} times, rest {counts['rest']}"

    def put_variables(self, variables: Any) -> Any:
        """Puts params and batch_stats where this predictor runs."""
        return self.programs.put_variables(variables)

    def label_maps(
        self, variables: Any, images: np.ndarray, size: tuple[int, int]
    ) -> jax.Array:
        """Predicts one class a pixel.

        Args:
            variables: from `put_variables`.
            images: (N, H, W, C) as loaded, RGB, not normalised; the number of devices
                divides N.
            size: (height, width) of the result, the images' original size.

        Returns:
            (N, *size) uint8, or uint16 of more than 256 classes.
        """
        return self._alike(variables, [images], size, "classes")

    def logits(
        self, variables: Any, images: np.ndarray, size: tuple[int, int]
    ) -> jax.Array:
        """As `label_maps`, but float32 logits (N, *size, out_channels)."""
        return self._alike(variables, [images], size, "logits")

    def classes(self, values: jax.Array, probabilities: bool = False) -> jax.Array:
        """The classes of what `logits` or `augmented_probabilities` gave.

        Args:
            values: (N, H, W, out_channels).
            probabilities: whether they are probabilities, not logits.

        Returns:
            (N, H, W), as `label_maps`.
        """
        return self.programs.classes(values, 1 if probabilities else None)

    def augmented_label_maps(
        self,
        variables: Any,
        images: Sequence[np.ndarray],
        size: tuple[int, int],
        directions: Sequence[str] = (),
    ) -> jax.Array:
        """Predicts from the mean probabilities of several versions of the images.

        mmseg's SegTTAModel. Of one output channel it takes the sigmoid twice, which
        puts every probability above one half; here it is taken once.

        Args:
            variables: from `put_variables`.
            images: the same images at each scale, (N, H, W, C) each.
            size: (height, width) of the result.
            directions: flips that are added at every scale, `horizontal`, `vertical`.

        Returns:
            (N, *size), as `label_maps`.
        """
        total = self._alike(variables, images, size, "probability", directions)
        return self.programs.classes(total, len(images) * (1 + len(directions)))

    def augmented_probabilities(
        self,
        variables: Any,
        images: Sequence[np.ndarray],
        size: tuple[int, int],
        directions: Sequence[str] = (),
    ) -> jax.Array:
        """As `augmented_label_maps`, but the means, (N, *size, out_channels) float32."""
        total = self._alike(variables, images, size, "probability", directions)
        return self.programs.mean(total, len(images) * (1 + len(directions)))

    def plan(self, variables: Any, items: Mapping[Item, int]) -> None:
        """Chooses the buckets of a data set of many sizes, and says in the log which.

        Args:
            variables: params and batch_stats.
            items: how many images there are of each tuple of the sizes (height, width)
                at which the network sees an image, and the original size.
        """
        channels = self.model.in_channels
        shapes = jax.eval_shape(lambda: variables)
        make = functools.partial(MaskedNetwork, self.programs.apply, shapes, channels)
        padded = collections.Counter()
        for item, count in items.items():
            padded[self._padded(item)] += count
        self._choice.plan(padded, make)

    def bucket_of(self, item: Item) -> Bucket:
        """Where an image runs: in the smallest bucket that takes it, or alone."""
        return self._choice.of(self._padded(item))

    def _padded(self, item):
        """What the network sees of an image, which is padded for it."""
        return (*map(self._preprocessor.test_size, item[:-1]), item[-1])

    def add_counts(
        self,
        totals: Sequence[jax.Array],
        variables: Any,
        images: Sequence[Sequence[np.ndarray]],
        labels: Sequence[np.ndarray],
        bucket: Bucket,
        *,
        metrics: Sequence[Metric],
        is_sample: np.ndarray,
        ignore_index: int,
        directions: Sequence[str] | None = None,
        keeps: bool = False,
    ) -> tuple[tuple[jax.Array, ...], jax.Array | None]:
        """Predicts images of one bucket, and adds to the totals of metrics.

        Args:
            totals: one a metric, which are used up.
            variables: from `put_variables`.
            images: at each scale N images (H, W, C); the number of devices divides N.
            labels: (height, width) of each image, at its original size.
            bucket: the bucket of all images.
            metrics: those that count on the device.
            is_sample: (N,) bool: whether an image counts, or fills up the batch.
            ignore_index: the label that counts nowhere.
            directions: flips that are added at every scale before the mean of the
                probabilities; None takes the one version as it is.
            keeps: whether the label maps are wanted, too.

        Returns:
            The new totals; with `keeps` (N, H, W) classes, of which the image's own
            part at the top left counts, else None.

        Raises:
            ConfigError: if the model does not take an image's size.
        """
        self.programs.drop_old()
        sizes = [label.shape for label in labels]
        count = {
            "labels": self.programs.put(pad_to(labels, bucket.canvas, ignore_index)),
            "is_sample": is_sample,
            "ignore_index": ignore_index,
            "metrics": tuple(metrics),
            "keeps": keeps,
        }
        if directions is None:
            run = _Run(variables, sizes, bucket, "counts")
            return self._predict(run, images[0], total=totals, **count)
        values, versions = self._sum_of(variables, images, sizes, bucket, directions)
        return self.programs.tally(totals, values, versions, **count)

    def predict_bucket(
        self,
        variables: Any,
        images: Sequence[Sequence[np.ndarray]],
        sizes: Sequence[Size],
        bucket: Bucket,
        directions: Sequence[str] | None = None,
        probabilities: bool = False,
    ) -> tuple[jax.Array, jax.Array | None]:
        """Predicts images of one bucket, of which there need be no labels.

        Args:
            variables, images, bucket, directions: as of `add_counts`.
            sizes: (height, width) of each result.
            probabilities: whether they are wanted, too.

        Returns:
            (N, H, W) classes, and (N, H, W, out_channels) float32 or None; of both the
            image's own part at the top left counts.
        """
        self.programs.drop_old()
        if directions is None and not probabilities:
            run = _Run(variables, list(sizes), bucket, "classes")
            return self._predict(run, images[0]), None
        values, versions = self._sum_of(
            variables, images, list(sizes), bucket, directions or ()
        )
        classes = self.programs.classes(values, versions)
        mean = self.programs.mean(values, versions) if probabilities else None
        return classes, mean

    def _sum_of(self, variables, images, sizes, bucket, directions):
        """The sum of the probabilities of all versions, and how many there are."""
        run = _Run(variables, sizes, bucket, "probability")
        versions = len(images) * (1 + len(directions))
        return self._add_versions(run, images, directions), versions

    def _alike(self, variables, versions, size, how, directions=()):
        """Predicts images of one size, (N, H, W, C) at each scale."""
        self.programs.drop_old()
        size = tuple(size)
        item = (*(images.shape[1:3] for images in versions), size)
        bucket = exact_bucket(self._padded(item))
        run = _Run(variables, [size] * len(versions[0]), bucket, how)
        if how == "probability":
            return self._add_versions(run, versions, directions)
        return self._predict(run, versions[0])

    def _add_versions(self, run, versions, directions):
        """The sum of the probabilities of all versions."""
        total = None
        for scale, images in enumerate(versions):
            for flip in (None, *directions):
                total = self._predict(run, images, scale, flip, total)
        return total

    def _predict(self, run, images, scale=0, flip=None, total=None, **count):
        """What is wanted of images of one bucket.

        Args:
            run: what does not depend on the version.
            images: N of (H, W, C).
            scale: which one of the bucket's.
            flip: how the images are flipped.
            total: what is added to: probabilities, counts or None.
            count: what `counts` needs beside the total.
        """
        images = [flipped(image, flip) for image in images]
        kept = [image.shape[:2] for image in images] if self._pads else None
        images = list(map(self._preprocessor.padded_for_test, images))
        size, canvas = run.bucket.images[scale], run.bucket.canvas
        source, before = self._source(run.variables, images, size, run.bucket.padded)
        chains, padded = [[one] for one in before], [canvas]
        # mmseg resizes to the image's size first, and from there to the result's.
        if self._mode == "whole" and (self._pads or run.bucket.resized[scale]):
            padded = [size, canvas]
            for chain, image in zip(chains, images, strict=True):
                chain.append(image.shape[:2])
        for chain, last in zip(chains, run.sizes, strict=True):
            chain.append(last)
        how = {"align_corners": self._align_corners, "dtype": source["logits"].dtype}
        stages = resize_stages(chains, padded, flip, kept, **how)
        rows = np.array([size[0] for size in run.sizes], np.int32)
        return self.programs.finish(source, stages, rows, total, run.how, **count)


def images_together(batch_size: int, devices: Sequence[jax.Device]) -> int:
    """How many images of one size are predicted at once.

    A CPU gains nothing from more than one image on a device; so each runs alone, and
    the scores are the same to the bit for any batch_size and number of devices.

    Args:
        batch_size: what val_dataloader asks for.
        devices: over which the images are split.

    Returns:
        A multiple of the number of devices.
    """
    cpu = devices[0].platform == "cpu"
    return len(devices) * (1 if cpu else -(-batch_size // len(devices)))

"""From images of any size to logits, probabilities and label maps, as mmseg.

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
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.config import ConfigError
from jaxseg.metrics.confusion import add_label_maps
from jaxseg.ops.compiler_options import compiler_options
from jaxseg.segmentors.bucket_choice import BucketChoice
from jaxseg.segmentors.buckets import Bucket, Item, exact_bucket, pad_to
from jaxseg.segmentors.finish import (
    finish,
    flipped,
    pick_classes,
    probabilities,
    resize_stages,
    resize_tables,
    stack,
)
from jaxseg.segmentors.masked_network import MaskedNetwork
from jaxseg.segmentors.slide import Grid, window_corners
from jaxseg.segmentors.test_cfg import read_test_cfg

# Programs that are kept. One of a ResNet-18 takes some 7 MB of memory, and a data set
# may have a thousand sizes. Those that are dropped are read back from the compilation
# cache on disk, or compiled again.
_MOST_PROGRAMS = 400


@dataclasses.dataclass(frozen=True)
class _Run:
    """What all versions of some images have in common.

    Attributes:
        variables: params and batch_stats.
        sizes: (height, width) of each result.
        bucket: of the images.
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
        devices: where it runs.
        compilations: how often `network` and `rest`, what follows it, were compiled.
    """

    def __init__(self, model: Any, devices: Sequence[jax.Device] | None = None):
        """Prepares, without compiling anything.

        Args:
            model: the segmentor.
            devices: over which the images of a batch are split; by default those of
                this host.

        Raises:
            ConfigError: if the model's test_cfg is wrong.
        """
        self.model = model
        self.compilations = {"network": 0, "rest": 0}
        self._dropped = 0
        self._mode, self._crop, self._stride = read_test_cfg(model.test_cfg)
        self._choice = BucketChoice(model, self._crop)
        self.devices = tuple(jax.local_devices() if devices is None else devices)
        mesh = Mesh(np.array(self.devices), ("batch",))
        self._split = NamedSharding(mesh, P("batch"))
        self._everywhere = NamedSharding(mesh, P())
        # Every device has images of its own from end to end. Its program is then the
        # same for any number of devices, and so are the bits of the result.
        self._alone = functools.partial(
            jax.shard_map, mesh=mesh, out_specs=P("batch"), check_vma=False
        )
        # How they are compiled depends on the model's parameters.
        self._network = self._masked = None
        self._finish = jax.jit(
            self._run_finish,
            static_argnames=("how", "ignore_index"),
            donate_argnames="total",
        )
        self._classes = jax.jit(self._run_classes)
        self._mean = jax.jit(self._run_mean, donate_argnums=0)
        self._tally = jax.jit(
            self._run_tally, static_argnames="ignore_index", donate_argnames="total"
        )

    def count_of_compilations(self) -> str:
        """`compilations` as a line for the user."""
        counts = self.compilations
        return f"compiled: network {counts['network']} times, rest {counts['rest']}"

    def put_variables(self, variables: Any) -> Any:
        """Puts params and batch_stats where this predictor runs."""
        if self._network is None:
            options = compiler_options(variables)
            network = self._alone(self._run_network, in_specs=(P(), P("batch")))
            self._network = jax.jit(network, compiler_options=options)
            self._masked = jax.jit(
                self._run_masked, static_argnums=0, compiler_options=options
            )
        return jax.device_put(variables, self._everywhere)

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
        return self._classes(values, 1) if probabilities else self._classes(values)

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
        return self._classes(total, len(images) * (1 + len(directions)))

    def augmented_probabilities(
        self,
        variables: Any,
        images: Sequence[np.ndarray],
        size: tuple[int, int],
        directions: Sequence[str] = (),
    ) -> jax.Array:
        """As `augmented_label_maps`, but the means, (N, *size, out_channels) float32."""
        total = self._alike(variables, images, size, "probability", directions)
        return self._mean(total, len(images) * (1 + len(directions)))

    def plan(self, variables: Any, items: Mapping[Item, int]) -> None:
        """Chooses the buckets of a data set of many sizes, and says in the log which.

        Args:
            variables: params and batch_stats.
            items: how many images there are of each tuple of the sizes (height, width)
                at which the network sees an image, and the original size.
        """
        channels = self.model.backbone.in_channels
        shapes = jax.eval_shape(lambda: variables)
        make = functools.partial(MaskedNetwork, self._apply, shapes, channels)
        self._choice.plan(items, make)

    def bucket_of(self, item: Item) -> Bucket:
        """Where an image runs: in the smallest bucket that takes it, or alone."""
        return self._choice.of(item)

    def add_counts(
        self,
        total: jax.Array,
        variables: Any,
        images: Sequence[Sequence[np.ndarray]],
        labels: Sequence[np.ndarray],
        bucket: Bucket,
        *,
        is_sample: np.ndarray,
        ignore_index: int,
        directions: Sequence[str] | None = None,
    ) -> jax.Array:
        """Predicts images of one bucket, and adds to a confusion matrix.

        Args:
            total: of `metrics.confusion`, which is used up.
            variables: from `put_variables`.
            images: at each scale N images (H, W, C); the number of devices divides N.
            labels: (height, width) of each image, at its original size.
            bucket: of all images.
            is_sample: (N,) bool: whether an image counts, or fills up the batch.
            ignore_index: the label that counts nowhere.
            directions: flips that are added at every scale before the mean of the
                probabilities; None takes the one version as it is.

        Returns:
            The new total.

        Raises:
            ConfigError: if the model does not take an image's size.
        """
        self._drop_programs()
        sizes = [label.shape for label in labels]
        count = {
            "labels": self._put(pad_to(labels, bucket.canvas, ignore_index)),
            "is_sample": is_sample,
            "ignore_index": ignore_index,
        }
        if directions is None:
            run = _Run(variables, sizes, bucket, "counts")
            return self._predict(run, images[0], total=total, **count)
        run = _Run(variables, sizes, bucket, "probability")
        values = self._add_versions(run, images, directions)
        versions = len(images) * (1 + len(directions))
        return self._tally(total, values, versions, **count)

    def _alike(self, variables, versions, size, how, directions=()):
        """Of images of one size, (N, H, W, C) at each scale."""
        self._drop_programs()
        size = tuple(size)
        bucket = exact_bucket((*(images.shape[1:3] for images in versions), size))
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
        size, canvas = run.bucket.images[scale], run.bucket.canvas
        if self._mode == "slide":
            source = self._windows(run, images, size)
            chains, padded = [[image.shape[:2]] for image in images], [canvas]
        else:
            source, chains = self._whole(run, images, size)
            padded = [canvas]
            # mmseg resizes to the image's size first, and from there to the result's.
            if run.bucket.resized[scale]:
                padded = [size, canvas]
                for chain, image in zip(chains, images, strict=True):
                    chain.append(image.shape[:2])
        for chain, last in zip(chains, run.sizes, strict=True):
            chain.append(last)
        how = self._resizing(source["logits"].dtype)
        rows = np.array([size[0] for size in run.sizes], np.int32)
        given = self._put((resize_stages(chains, padded, flip, **how), rows))
        return self._finish(source, *given, total=total, how=run.how, **count)

    def _whole(self, run, images, size):
        """The logits of images, and the valid size of each one's, alone in a list."""
        if run.bucket.padded:
            logits, valid = self._run_padded(run.variables, images, size)
        else:
            logits, valid = self._run_exact(run.variables, images)
        return {"logits": logits}, [[one] for one in valid]

    def _run_exact(self, variables, images):
        """The logits of images of one size, and their valid sizes."""
        logits = self._network(variables, self._put(np.stack(images)))
        return logits, [logits.shape[1:3]] * len(images)

    def _run_padded(self, variables, images, size):
        """As `_run_exact`, of images of any sizes that a bucket takes."""
        network = self._choice.networks[size]
        shapes = [image.shape[:2] for image in images]
        arrays = self._put(network.sizes.arrays(shapes))
        images = self._put(pad_to(images, network.sizes.size))
        logits = self._masked(network, variables, images, arrays)
        return logits, list(map(network.logits_size, shapes))

    def _windows(self, run, images, size):
        """The logits of the windows of all images, and how they are put together."""
        grids = [Grid(image.shape[:2], self._crop, self._stride) for image in images]
        cuts = [grid.cut(image) for grid, image in zip(grids, images, strict=True)]
        windows = [window for cut in cuts for window in cut]
        logits, valid = self._run_windows(run, windows, len(images))
        how = self._resizing(logits.dtype)
        block = self._crop if run.bucket.padded else grids[0].window
        canvas = tuple(map(max, size, block))
        most = len(window_corners(size, self._crop, self._stride))
        each = np.zeros((len(images), most, *logits.shape[1:]), logits.dtype)
        corners = np.zeros((len(images), most, 2), np.int32)
        tables, first = [], 0
        for i, grid in enumerate(grids):
            number = len(grid.corners)
            each[i, :number] = logits[first : first + number]
            corners[i, :number] = grid.corners
            tables.append(resize_tables(valid[first], grid.window, block, **how))
            first += number
        source = {
            "logits": each,
            "tables": stack(tables),
            "corners": corners,
            "number": np.array([len(grid.corners) for grid in grids], np.int32),
            "covers": stack([grid.covers(canvas) for grid in grids]),
        }
        return self._put(source)

    def _run_windows(self, run, windows, batch):
        """Logits of windows, (K, h, w, C) on the host, and the valid size of each.

        They run in batches, over the borders of the images that they are cut from;
        the last batch is filled up with copies.
        """
        kinds = collections.defaultdict(list)
        for i, window in enumerate(windows):
            kinds[run.bucket.padded and window.shape[:2] != self._crop].append(i)
        done = []
        for is_small, places in kinds.items():
            for start in range(0, len(places), batch):
                some = places[start : start + batch]
                chosen = [windows[i] for i in some]
                chosen += chosen[-1:] * (batch - len(chosen))
                if is_small:
                    found = self._run_padded(run.variables, chosen, self._crop)
                else:
                    found = self._run_exact(run.variables, chosen)
                done.append((some, *found))
        shape = np.max([logits.shape[1:] for _, logits, _ in done], axis=0)
        result = np.zeros((len(windows), *shape), done[0][1].dtype)
        valid = [None] * len(windows)
        for some, logits, sizes in done:
            for i, one, size in zip(some, np.asarray(logits), sizes, strict=False):
                result[i, : one.shape[0], : one.shape[1]] = one
                valid[i] = size
        return result, valid

    def _resizing(self, dtype):
        """How logits of a type are resized."""
        align_corners = self.model.decode_head.align_corners
        return {"align_corners": align_corners, "double": dtype == np.float64}

    def _put(self, tree):
        return jax.device_put(tree, self._split)

    def _apply(self, variables, images):
        images = self.model.data_preprocessor(images)
        logits = self.model.apply(variables, images, method="logits")
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def _run_network(self, variables, images):
        self._count("network")
        try:
            return self._apply(variables, images)
        except ValueError as error:  # a size, say, that the backbone does not take
            raise ConfigError(f"the model does not take the image: {error}") from error

    def _run_masked(self, network, variables, images, arrays):
        self._count("network")
        specs = (P(), P("batch"), P("batch"))
        return self._alone(network, in_specs=specs)(variables, images, arrays)

    def _run_finish(self, source, stages, rows, total, how, **count):
        self._count("rest")
        use = {"logits": lambda x: x, "probability": probabilities}
        run = functools.partial(finish, use.get(how, self._pick))
        y = self._alone(run, in_specs=P("batch"))(source, stages, rows)
        if how == "counts":
            return add_label_maps(total, y, **count)
        return y if total is None else total + y

    def _run_classes(self, values, versions=None):
        """Logits, or the sum of the probabilities of some versions -> classes."""
        self._count("rest")
        if versions is None:
            return self._pick(values)
        return self._pick(values / versions, are_probabilities=True)

    def _run_mean(self, total, versions):
        self._count("rest")
        return total / versions

    def _run_tally(self, total, values, versions, **count):
        self._count("rest")
        pred = self._pick(values / versions, are_probabilities=True)
        return add_label_maps(total, pred, **count)

    def _pick(self, values, are_probabilities=False):
        threshold = getattr(self.model.decode_head, "threshold", None)
        return pick_classes(values, threshold, are_probabilities)

    def _drop_programs(self):
        compiled = sum(self.compilations.values())
        if compiled - self._dropped > _MOST_PROGRAMS:
            self._dropped = compiled
            for function in (
                self._network,
                self._masked,
                self._finish,
                self._classes,
                self._mean,
                self._tally,
            ):
                function.clear_cache()

    def _count(self, program):
        """Called while a program is traced, which is once for every compilation."""
        self.compilations[program] += 1

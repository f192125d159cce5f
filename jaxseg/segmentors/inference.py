"""From images of any size to logits, probabilities and label maps, as mmseg.

The network runs alone, at the size of its images (mode `whole`) or of its windows
(mode `slide`); one more program does all that follows: windows put together, flipped
back, resized to the original size, argmax. docs/evaluation.md says how often each of
them is compiled.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.config import ConfigError
from jaxseg.ops.resize import resize
from jaxseg.ops.strips import strip_map

# Programs that are kept. One of a ResNet-18 takes some 7 MB of memory, and a data set
# may have a thousand sizes. Those that are dropped are read back from the compilation
# cache on disk, or compiled again.
_MOST_PROGRAMS = 400

_FLIP_AXES = {"horizontal": 2, "vertical": 1}


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
        self._mode, self._crop, self._stride = _read_test_cfg(model.test_cfg)
        self.devices = tuple(jax.local_devices() if devices is None else devices)
        mesh = Mesh(np.array(self.devices), ("batch",))
        self._split = NamedSharding(mesh, P("batch"))
        self._everywhere = NamedSharding(mesh, P())
        # Every device has images of its own from end to end. Its program is then the
        # same for any number of devices, and so are the bits of the result.
        alone = functools.partial(jax.shard_map, mesh=mesh, check_vma=False)
        self._network = jax.jit(
            alone(self._run_network, in_specs=(P(), P("batch")), out_specs=P("batch"))
        )

        def finish(logits, total, **how):
            run = functools.partial(self._run_finish, **how)
            return alone(run, in_specs=P("batch"), out_specs=P("batch"))(logits, total)

        self._finish = jax.jit(
            finish,
            static_argnames=("image_size", "size", "flip", "how"),
            donate_argnames="total",
        )
        self._classes = jax.jit(self._run_classes)
        self._mean = jax.jit(self._run_mean, donate_argnums=0)

    def count_of_compilations(self) -> str:
        """`compilations` as a line for the user."""
        counts = self.compilations
        return f"compiled: network {counts['network']} times, rest {counts['rest']}"

    def put_variables(self, variables: Any) -> Any:
        """Puts params and batch_stats where this predictor runs."""
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
        return self._predict(variables, images, size, how="classes")

    def logits(
        self, variables: Any, images: np.ndarray, size: tuple[int, int]
    ) -> jax.Array:
        """As `label_maps`, but float32 logits (N, *size, out_channels)."""
        return self._predict(variables, images, size, how="logits")

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
        return self._classes(*self._add_versions(variables, images, size, directions))

    def augmented_probabilities(
        self,
        variables: Any,
        images: Sequence[np.ndarray],
        size: tuple[int, int],
        directions: Sequence[str] = (),
    ) -> jax.Array:
        """As `augmented_label_maps`, but the means, (N, *size, out_channels) float32."""
        return self._mean(*self._add_versions(variables, images, size, directions))

    def _add_versions(self, variables, images, size, directions):
        """The sum of the probabilities of all versions, and their number."""
        total = None
        versions = [(image, flip) for image in images for flip in (None, *directions)]
        for image, flip in versions:
            total = self._predict(variables, image, size, "probability", flip, total)
        return total, len(versions)

    def _predict(self, variables, images, size, how, flip=None, total=None):
        self._drop_programs()
        if flip is not None:
            images = np.flip(images, _FLIP_AXES[flip])
        image_size, size = images.shape[1:3], tuple(size)
        logits = [
            self._network(variables, jax.device_put(window, self._split))
            for window in self._windows(images)
        ]
        return self._finish(
            logits, total, image_size=image_size, size=size, flip=flip, how=how
        )

    def _windows(self, images):
        """Yields the first window of all images, then the second one of all, ..."""
        if self._mode == "whole":
            yield images
            return
        (height, width), corners = self._grid(images.shape[1:3])
        for top, left in corners:
            yield images[:, top : top + height, left : left + width]

    def _run_network(self, variables, images):
        self._count("network")
        images = self.model.data_preprocessor(images)
        try:
            logits = self.model.apply(variables, images, method="logits")
        except ValueError as error:  # a size, say, that the backbone does not take
            raise ConfigError(f"the model does not take the image: {error}") from error
        return logits.astype(jnp.promote_types(logits.dtype, jnp.float32))

    def _run_finish(self, logits, total, image_size, size, flip, how):
        """From the network's logits to what is wanted.

        Args:
            logits: of the images, or of their windows one after the other, a list of
                (N, h, w, C).
            total: probabilities to which these are added, or None.
            image_size: (height, width) of the images that were cut into windows.
            size: (height, width) of the result.
            flip: how those images were flipped.
            how: `classes`, `logits` or `probability`.
        """
        self._count("rest")
        # A single window is the whole image.
        x = logits[0] if len(logits) == 1 else self._stitch(logits, image_size)
        if flip is not None:
            x = jnp.flip(x, _FLIP_AXES[flip])
        # mmseg resizes to the image's size first, and from there to the result's.
        if image_size != size:
            x = resize(x, image_size, align_corners=self._align_corners)
        use = {
            "classes": self._pick,
            "logits": lambda x: x,
            "probability": _probability,
        }
        y = strip_map(use[how], x, size, self._align_corners)
        return y if total is None else total + y

    def _stitch(self, logits, size):
        """The mean of the windows' logits where they overlap, summed in mmseg's order."""
        window, corners = self._grid(size)
        logits = jnp.stack(logits)

        def add(total, item):
            logits, corner = item
            logits = resize(logits, window, align_corners=self._align_corners)
            at = (0, corner[0], corner[1], 0)
            new = jax.lax.dynamic_slice(total, at, logits.shape) + logits
            return jax.lax.dynamic_update_slice(total, new, at), None

        total = jnp.zeros((logits.shape[1], *size, logits.shape[-1]), logits.dtype)
        total, _ = jax.lax.scan(add, total, (logits, corners))
        # The windows lie on a grid, so how many cover a pixel is a product.
        rows, columns = map(_cover, size, window, corners.T)
        return total / np.outer(rows, columns)[..., None].astype(np.float32)

    def _grid(self, size):
        """Size of the windows of an image of a size, and their corners."""
        window = tuple(map(min, self._crop, size))
        return window, window_corners(size, self._crop, self._stride)

    def _run_classes(self, values, versions=None):
        """Logits, or the sum of the probabilities of some versions -> classes."""
        self._count("rest")
        if versions is None:
            return self._pick(values)
        return self._pick(values / versions, probability=True)

    def _run_mean(self, total, versions):
        self._count("rest")
        return total / versions

    def _pick(self, values, probability=False):
        """(N, H, W, C) -> classes (N, H, W)."""
        if values.shape[-1] == 1:
            one = values[..., 0] if probability else jax.nn.sigmoid(values[..., 0])
            return (one > self.model.decode_head.threshold).astype(jnp.uint8)
        dtype = jnp.uint8 if values.shape[-1] <= 256 else jnp.uint16
        return jnp.argmax(values, axis=-1).astype(dtype)

    @property
    def _align_corners(self):
        return self.model.decode_head.align_corners

    def _drop_programs(self):
        compiled = sum(self.compilations.values())
        if compiled - self._dropped > _MOST_PROGRAMS:
            self._dropped = compiled
            for function in (self._network, self._finish, self._classes, self._mean):
                function.clear_cache()

    def _count(self, program):
        """Called while a program is traced, which is once for every compilation."""
        self.compilations[program] += 1


def _probability(logits):
    one = logits.shape[-1] == 1
    return jax.nn.sigmoid(logits) if one else jax.nn.softmax(logits, axis=-1)


def window_corners(
    size: tuple[int, int], crop: tuple[int, int], stride: tuple[int, int]
) -> np.ndarray:
    """Top left corners of mmseg's windows, (K, 2) int32, row by row.

    The last window of a row or column is moved back to end with the image.
    """
    axes = []
    for length, side, step in zip(size, crop, stride, strict=True):
        count = max(length - side + step - 1, 0) // step + 1
        starts = [min(i * step, max(length - side, 0)) for i in range(count)]
        axes.append(starts)
    return np.array([(top, left) for top in axes[0] for left in axes[1]], np.int32)


def _cover(length, side, starts):
    """How many of the intervals of a side, at their starts, cover each place."""
    places = np.arange(length)
    return sum((start <= places) & (places < start + side) for start in set(starts))


def _read_test_cfg(test_cfg: Mapping[str, Any] | None):
    test_cfg = dict(test_cfg or {"mode": "whole"})
    mode = test_cfg.get("mode", "whole")
    if mode not in ("whole", "slide"):
        raise ConfigError(f"model.test_cfg.mode is {mode!r}, allowed: 'whole', 'slide'")
    if mode == "whole":
        return mode, None, None
    for key in ("crop_size", "stride"):
        value = test_cfg.get(key)
        if not isinstance(value, tuple) or len(value) != 2 or min(value) < 1:
            raise ConfigError(
                f"model.test_cfg.{key} is {value!r}; mode='slide' needs (height, "
                "width) in pixels"
            )
    return mode, test_cfg["crop_size"], test_cfg["stride"]

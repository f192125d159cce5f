"""From images of any size to logits, probabilities and label maps, as mmseg.

Sizes and compilations. The network is compiled once for every distinct image size
(mode `whole`), or once for all (mode `slide`: windows come in batches of one size;
an image smaller than the window makes one more). What follows it, the resize to the
original size and the argmax, is compiled once for every pair of sizes; that takes a
fraction of a second. `Predictor.compilations` counts both.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.config import ConfigError
from jaxseg.ops.resize import resize
from jaxseg.ops.strips import strip_map

# Windows that go through the network at once, on every device.
WINDOW_BATCH = 4

_FLIP_AXES = {"horizontal": 2, "vertical": 1}


class Maps(NamedTuple):
    """Logits on their way to an image's size.

    Attributes:
        logits: (N, h, w, C), of any size.
        size: (H, W) of the images that went in, to which mmseg resizes first.
    """

    logits: jax.Array
    size: tuple[int, int]


class Predictor:
    """Runs a segmentor on images as they are loaded.

    Attributes:
        model: the segmentor; its `test_cfg` says how images are cut.
    """

    def __init__(self, model: Any, devices: Sequence[jax.Device] | None = None):
        """Prepares, without compiling anything.

        Args:
            model: the segmentor.
            devices: over which a batch (of images, or of windows) is split; by
                default those of this host.

        Raises:
            ConfigError: if the model's test_cfg is wrong.
        """
        self.model = model
        self._mode, self._crop, self._stride = _read_test_cfg(model.test_cfg)
        devices = jax.local_devices() if devices is None else devices
        mesh = Mesh(np.array(devices), ("batch",))
        self._split = NamedSharding(mesh, P("batch"))
        self._everywhere = NamedSharding(mesh, P())
        self._num_devices = len(devices)
        self._network = jax.jit(self._run_network, static_argnames="flip")
        self._label_maps = jax.jit(self._finish, static_argnames=("sizes", "how"))
        self._cut = jax.jit(_cut_windows, static_argnames="window")
        self._add = jax.jit(
            self._add_windows, static_argnames="window", donate_argnums=0
        )
        self._sum = jax.jit(jnp.add, donate_argnums=0)
        self._mean = jax.jit(jnp.divide)

    @property
    def compilations(self) -> dict[str, int]:
        """How often the network, and what follows it, were compiled so far."""
        rest = (self._label_maps, self._cut, self._add, self._sum, self._mean)
        return {
            "network": self._network._cache_size(),
            "rest": sum(function._cache_size() for function in rest),
        }

    def put_variables(self, variables: Any) -> Any:
        """Puts params and batch_stats where this predictor runs."""
        return jax.device_put(variables, self._everywhere)

    def label_maps(self, variables: Any, images: Any, size: tuple[int, int]):
        """Predicts one class a pixel.

        Args:
            variables: from `put_variables`.
            images: (N, H, W, C) as loaded, RGB, not normalised.
            size: (height, width) of the result, the images' original size.

        Returns:
            (N, *size) uint8, or uint16 of more than 256 classes.
        """
        maps = self._maps(variables, images)
        return self._label_maps(maps.logits, sizes=(maps.size, tuple(size)), how="pick")

    def logits(self, variables: Any, images: Any, size: tuple[int, int]) -> jax.Array:
        """As `label_maps`, but float32 logits (N, *size, out_channels)."""
        maps = self._maps(variables, images)
        return self._label_maps(maps.logits, sizes=(maps.size, tuple(size)), how="keep")

    def augmented_label_maps(
        self,
        variables: Any,
        images: Sequence[Any],
        size: tuple[int, int],
        directions: Sequence[str] = (),
    ):
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
        total = None
        versions = [(image, flip) for image in images for flip in (None, *directions)]
        for image, flip in versions:
            maps = self._maps(variables, image, flip)
            sizes = (maps.size, tuple(size))
            more = self._label_maps(maps.logits, sizes=sizes, how="probability")
            total = more if total is None else self._sum(total, more)
        mean = self._mean(total, len(versions))
        return self._label_maps(mean, sizes=(tuple(size), tuple(size)), how="choose")

    def _maps(self, variables, images, flip=None) -> Maps:
        size = tuple(images.shape[1:3])
        if self._mode == "whole":
            images = self._put(images)
            return Maps(self._network(variables, images, flip=flip), size)
        images = jax.device_put(images, self._everywhere)
        maps = [self._slide(variables, image[None], flip) for image in images]
        return Maps(jnp.concatenate(maps), size)

    def _put(self, images):
        """Splits a batch over the devices where it divides."""
        divides = len(images) % self._num_devices == 0
        return jax.device_put(images, self._split if divides else self._everywhere)

    def _run_network(self, variables, images, flip):
        """Logits of images, flipped before and back after."""
        axis = _FLIP_AXES.get(flip)
        images = images if axis is None else jnp.flip(images, axis)
        images = self.model.data_preprocessor(images)
        logits = self.model.apply(variables, images, method="logits")
        logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
        return logits if axis is None else jnp.flip(logits, axis)

    def _slide(self, variables, image, flip):
        """The mean of the windows' logits, (1, H, W, C), in mmseg's order."""
        size = tuple(image.shape[1:3])
        window = tuple(np.minimum(self._crop, size).tolist())
        # mmseg flips the image, not the windows.
        axis = _FLIP_AXES.get(flip)
        image = image if axis is None else jnp.flip(image, axis)
        boxes = window_corners(size, self._crop, self._stride)
        batch = WINDOW_BATCH * self._num_devices
        batch = min(batch, -(-len(boxes) // self._num_devices) * self._num_devices)
        counts = np.zeros(size, np.float32)
        total = None
        for first in range(0, len(boxes), batch):
            corners = boxes[first : first + batch]
            for top, left in corners:
                counts[top : top + window[0], left : left + window[1]] += 1
            # The last batch is filled up with windows that weigh nothing.
            weights = np.zeros(batch, np.float32)
            weights[: len(corners)] = 1
            corners = np.resize(corners, (batch, 2))
            crops = self._cut(image, corners, window=window)
            logits = self._network(variables, self._put(crops), flip=None)
            logits = jax.device_put(logits, self._everywhere)
            if total is None:
                total = jnp.zeros((1, *size, logits.shape[-1]), logits.dtype)
                total = jax.device_put(total, self._everywhere)
            total = self._add(total, logits, corners, weights, window=window)
        mean = self._mean(total, counts[..., None])
        return mean if axis is None else jnp.flip(mean, axis)

    def _add_windows(self, total, logits, corners, weights, window):
        """Adds the logits of windows, resized to the window, where they belong."""
        logits = resize(logits, window, align_corners=self._align_corners)

        def add(total, item):
            logits, corner, weight = item
            at = (0, corner[0], corner[1], 0)
            old = jax.lax.dynamic_slice(total, at, (1, *logits.shape))
            new = old + weight.astype(total.dtype) * logits
            return jax.lax.dynamic_update_slice(total, new, at), None

        return jax.lax.scan(add, total, (logits, corners, weights))[0]

    @property
    def _align_corners(self):
        return self.model.decode_head.align_corners

    def _finish(self, logits, sizes, how):
        """Resizes logits to the image's size, then to the result's, and uses them."""
        through, size = sizes
        if through != size:
            logits = resize(logits, through, align_corners=self._align_corners)
        if how in ("pick", "choose"):
            pick = functools.partial(self._pick, probability=how == "choose")
            return strip_map(pick, logits, size, self._align_corners)
        logits = resize(logits, size, align_corners=self._align_corners)
        if how == "keep":
            return logits
        one = logits.shape[-1] == 1
        return jax.nn.sigmoid(logits) if one else jax.nn.softmax(logits, axis=-1)

    def _pick(self, values, probability):
        """(N, H, W, C) -> classes (N, H, W)."""
        head = self.model.decode_head
        if values.shape[-1] == 1:
            one = values[..., 0] if probability else jax.nn.sigmoid(values[..., 0])
            return (one > head.threshold).astype(jnp.uint8)
        dtype = jnp.uint8 if values.shape[-1] <= 256 else jnp.uint16
        return jnp.argmax(values, axis=-1).astype(dtype)


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


def _cut_windows(image, corners, window):
    """(1, H, W, C) and (K, 2) corners -> (K, *window, C)."""

    def cut(corner):
        at = (corner[0], corner[1], 0)
        return jax.lax.dynamic_slice(image[0], at, (*window, image.shape[-1]))

    return jax.vmap(cut)(corners)


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

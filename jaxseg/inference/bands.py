"""Band predictor: one image on several devices, of which each has a band of rows."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.config import ConfigError
from jaxseg.errors import ModelSizeError
from jaxseg.inference.postprocess import Size, resize_tables
from jaxseg.ops.bands.split_resize import band_table
from jaxseg.ops.bands.split_rows import CannotSplit, SplitRows, rows_over
from jaxseg.ops.compiler_options import compiler_options
from jaxseg.ops.resize import resize
from jaxseg.ops.strips.prediction import map_resized
from jaxseg.segmentors.opt_in import part_without

_ROWS = P(None, "rows")


def devices_of_image(
    mesh: Mapping[str, int] | None, devices: Sequence[jax.Device]
) -> Sequence[jax.Device]:
    """The first `mesh.spatial` devices, which split an image; -1 takes all.

    Raises:
        ConfigError: if there are not so many.
    """
    count = (mesh or {}).get("spatial", 1)
    if count == -1:
        return devices
    if count not in range(1, len(devices) + 1):
        raise ConfigError(
            f"mesh.spatial is {count!r}; there are {len(devices)} devices to split an "
            "image over"
        )
    return devices[:count]


class BandPredictor:
    """Runs a segmentor on images that are too large for one device.

    The result is that of one device, to the rounding of sums over the whole image.
    No device ever holds more than its share of the image, of a feature map or of the
    result, and a few rows around it.

    Attributes:
        model: the segmentor.
        devices: from the top of an image to its bottom.
    """

    def __init__(
        self,
        model: Any,
        devices: Sequence[jax.Device],
        xla_flags: Mapping[str, Any] | None = None,
    ):
        """Prepares, without compiling anything.

        Args:
            model: the segmentor.
            devices: that take the bands.
            xla_flags: flags of XLA for the program.

        Raises:
            ConfigError: if the model's test_cfg cuts windows, or a part of it does not
                take bands.
        """
        if model.test_cfg.mode != "whole":
            raise ConfigError(
                "mesh.spatial splits a whole image over the devices, and "
                f"model.test_cfg.mode is {model.test_cfg.mode!r}: set it to 'whole', or mesh.spatial to 1"
            )
        if model.data_preprocessor.test_cfg is not None:
            raise ConfigError(
                "mesh.spatial splits an image as it is over the devices, and "
                "model.data_preprocessor.test_cfg pads it: take test_cfg out, or set "
                "mesh.spatial to 1"
            )
        if (part := part_without(model, "takes_bands")) is not None:
            raise ConfigError(
                f"mesh.spatial splits an image over the devices, and {part} does not "
                "say that it takes bands of its rows: set mesh.spatial to 1"
            )
        self.model = model
        self._xla_flags = xla_flags
        self.devices = tuple(devices)
        mesh = Mesh(np.array(self.devices), ("rows",))
        self._mesh = mesh
        self._everywhere = NamedSharding(mesh, P())
        self._bands = NamedSharding(mesh, _ROWS)
        self._run = None
        self._compilations = 0

    def count_of_compilations(self) -> str:
        """How often an image had a new size, as a line for the user."""
        return f"compiled: {self._compilations} times"

    def put_variables(self, variables: Any) -> Any:
        """Puts params and batch_stats on every device."""
        self._prepare(variables)
        return jax.device_put(variables, self._everywhere)

    def label_maps(self, variables: Any, images: np.ndarray, size: Size) -> np.ndarray:
        """Predicts one class a pixel.

        Args:
            variables: from `put_variables`.
            images: (1, H, W, C) as loaded.
            size: (height, width) of the result, the image's original size.

        Returns:
            (1, *size) uint8, or uint16 of more than 256 classes.

        Raises:
            ConfigError: if the model or the image cannot be split.
        """
        return self._whole(variables, images, size, "classes")

    def logits(self, variables: Any, images: np.ndarray, size: Size) -> np.ndarray:
        """As `label_maps`, but float32 logits (1, *size, out_channels)."""
        return self._whole(variables, images, size, "logits")

    def classes(self, values: np.ndarray) -> np.ndarray:
        """The classes of what `logits` gave."""
        return np.asarray(self._pick(values))

    def lower(self, variables: Any, image: Size, size: Size) -> jax.stages.Lowered:
        """The program for an image, before XLA compiles it.

        Args:
            variables: the variables of the model, or their shapes.
            image: its (height, width).
            size: the size of the label map.
        """
        self._prepare(variables)
        self._check(image[0])
        variables = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._everywhere),
            variables,
        )
        shape = (1, *image, self.model.in_channels)
        images = jax.ShapeDtypeStruct(shape, np.uint8, sharding=self._bands)
        return self._run.lower(variables, images, size=size, how="classes")

    def _prepare(self, variables):
        if self._run is None:
            # How it is compiled depends on the model's parameters.
            self._run = jax.jit(
                self._predict,
                static_argnames=("size", "how"),
                compiler_options=compiler_options(
                    variables, self.devices[0], self._xla_flags
                ),
            )

    def _check(self, height):
        count = len(self.devices)
        if height % count:
            raise ConfigError(
                f"the image has {height} rows, which do not divide over the {count} "
                "devices of mesh.spatial"
            )

    def _whole(self, variables, images, size, how):
        self._check(images.shape[1])
        images = jax.device_put(images, self._bands)
        result = self._run(variables, images, size=tuple(size), how=how)
        return np.asarray(result)[:, : size[0]]

    def _predict(self, variables, images, size, how):
        self._compilations += 1  # it is traced once for every compilation
        bands = SplitRows("rows", len(self.devices), images.shape[1:3])
        network = jax.shard_map(
            functools.partial(self._logits, bands, size),
            mesh=self._mesh,
            in_specs=(P(), _ROWS),
            out_specs=_ROWS,
        )
        finish = jax.shard_map(
            functools.partial(self._finish, bands, size, how),
            mesh=self._mesh,
            in_specs=_ROWS,
            out_specs=_ROWS,
            check_vma=False,
        )
        return finish(network(variables, images))

    def _logits(self, bands, size, variables, images):
        """This band's logits; of an image that was scaled, at the image's size.

        mmseg resizes to that first, and from there to the original size.
        """
        with rows_over(bands), nn.intercept_methods(_name_module):
            try:
                x = self.model.data_preprocessor(images)
                x, per_image = self.model.apply(variables, x, method="maps")
                if jax.tree.leaves(per_image):
                    raise CannotSplit("the head's scores of whole images")
                if size != tuple(bands.size):
                    x = resize(x, images.shape[1:3], align_corners=self._align_corners)
                    x = self.model.scores(x, ())
            except CannotSplit as error:
                raise ConfigError(
                    f"an image of {bands.size[0]}x{bands.size[1]} cannot be split over "
                    f"the {bands.bands} devices of mesh.spatial: {error}; set "
                    "mesh.spatial to 1, or scale the image to another height"
                ) from error
            except ModelSizeError as error:
                raise ConfigError(
                    f"the model does not take {images.shape[1]}x{images.shape[2]}, a "
                    f"device's part of the image: {error}"
                ) from error
        return x

    def _finish(self, bands, size, how, x):
        """This band's rows of the result."""
        padded = (-(-size[0] // bands.bands) * bands.bands, size[1])
        (index, weight), columns = resize_tables(
            (x.shape[1] * bands.bands, x.shape[2]),
            size,
            padded,
            align_corners=self._align_corners,
            dtype=x.dtype,
        )
        index[size[0] :] = index[size[0] - 1]
        above, below, index, weight = band_table(index, weight, bands.bands, x.shape[1])
        x = bands.with_neighbours(x, above, below)
        own = (bands.own(index)[None], bands.own(weight)[None])
        stages = [(own, tuple(jnp.asarray(part)[None] for part in columns))]
        use = self._pick if how == "classes" else lambda logits: logits
        if size != tuple(bands.size):  # they are scores already
            return map_resized(use, x, stages, jnp.array([index.shape[1]]))
        rows = jnp.array([index.shape[1]])
        return map_resized(use, x, stages, rows, self.model.scores)

    @property
    def _align_corners(self):
        return self.model.align_corners

    def _pick(self, values):
        return self.model.predicted(values)


def _name_module(call, args, kwargs, context):
    """Adds to CannotSplit which module of the model it was, the innermost one."""
    try:
        return call(*args, **kwargs)
    except CannotSplit as error:
        path = ".".join(context.module.path)
        if path and not getattr(error, "module", None):
            error.module = path
            error.args = (f"{path} ({type(context.module).__name__}): {error}",)
        raise

"""Valid size: which part of a padded feature map is real, while a model is traced.

Images of many sizes can share one program: each is padded at the bottom and right to
the size of a bucket, and every operation that looks at more than one pixel is told how
much of its input is image. Then the result is that of the image alone; without it, two
thirds of the pixels of a pyramid-pooling network change their class.

No model knows of this. While one is traced inside `ValidSizes.tracing`, the functions
of `ops` (and few of `layers`) keep account of the sizes. On each axis a feature map is
known by its padded length: from the length of the bucket and the formulas of the
convolutions and resizes before it follows how long it is for an image of any length.
Two maps of one padded length may differ in that: for the lengths of images where they
do, `exact` is False.

What depends on the length of an image (the tables of a resize, the averages of a
pooling) is made in NumPy by the same function that makes it at trace time elsewhere,
and enters the program as an argument. So it is the same to the bit.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_current: contextvars.ContextVar["ValidSizes | None"] = contextvars.ContextVar(
    "valid_sizes", default=None
)


class NoMaskedForm(Exception):
    """An operation that cannot run on padded feature maps, and why."""


def in_bucket() -> "ValidSizes | None":
    """The sizes of the model that is being traced; None where it is not padded."""
    return _current.get()


class ValidSizes:
    """The valid sizes of all feature maps of one model in one bucket.

    A model is traced twice: first by `jax.eval_shape`, which finds what depends on
    the size of an image, then with `arrays`, which hold it.

    Attributes:
        size: (height, width) of the bucket.
        exact: for either axis a bool array: whether an image of that length (0 to the
            bucket's) gets what it would get alone.
    """

    def __init__(self, size: tuple[int, int]):
        self.size = tuple(size)
        self.exact = tuple(np.arange(side + 1) > 0 for side in size)
        # For either axis: padded length -> the valid length for each image length.
        self._lengths = tuple({side: np.arange(side + 1)} for side in size)
        # Count of tokens -> the map that makes them, and how many stand before it.
        self._grids: dict[int, tuple[tuple[int, int], int]] = {}
        self._makers: dict[Any, tuple[int, Callable[[int], Any]]] = {}
        self._batch = 0
        self._arrays: Sequence[Any] | None = None

    @contextlib.contextmanager
    def tracing(
        self, batch: int, arrays: Sequence[Any] | None = None
    ) -> Iterator[None]:
        """A model that is traced inside is padded to this bucket.

        Args:
            batch: number of images.
            arrays: what `arrays` gives for them, traced; None in the first trace.
        """
        self._batch, self._arrays = batch, arrays
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)
            self._arrays = None

    def arrays(self, sizes: Sequence[tuple[int, int]]) -> tuple[Any, ...]:
        """The arguments of the program for images of some sizes, after a first trace.

        Args:
            sizes: (height, width) of each image.

        Returns:
            NumPy arrays, each with a leading axis over the images.
        """
        made = [
            [make(int(size[axis])) for size in sizes]
            for axis, make in self._makers.values()
        ]
        return tuple(jax.tree.map(lambda *leaves: np.stack(leaves), *m) for m in made)

    def takes(self, size: tuple[int, int]) -> bool:
        """Whether an image of (height, width) fits, and gets what it would get alone."""
        fits = all(v <= side for v, side in zip(size, self.size, strict=True))
        return fits and all(bool(e[v]) for e, v in zip(self.exact, size, strict=True))

    def length_at(self, axis: int, padded: int, image: int) -> int:
        """The valid length of the maps of a padded length, for one image's length."""
        return int(self.lengths(axis, padded)[image])

    def axes_of_map(self, shape: Sequence[int]) -> set[int]:
        """Which axes of an array (N, H, W, ...) or (N, H * W, ...) are its pixels'.

        Args:
            shape: the shape of the array. Where no map of the bucket has it, there are
                none.
        """
        rows, columns = (set(lengths) - {1} for lengths in self._lengths)
        if len(shape) > 3 and shape[1] in rows and shape[2] in columns:
            return {1, 2}
        if len(shape) > 2 and any(
            shape[1] % row == 0 and shape[1] // row in columns for row in rows
        ):
            return {1}
        return set()

    # What follows is for the operations that are traced.

    def lengths(self, axis: int, padded: int) -> np.ndarray:
        """The valid lengths of the maps of a padded length, by the image's length.

        Raises:
            NoMaskedForm: if no operation has made such a map.
        """
        try:
            return self._lengths[axis][padded]
        except KeyError:
            side = ("height", "width")[axis]
            raise NoMaskedForm(
                f"a feature map of {side} {padded}, which no operation that knows "
                "of padding has made"
            ) from None

    def set_lengths(self, axis: int, padded: int, lengths: np.ndarray) -> None:
        """Notes the valid lengths of a map that an operation has made."""
        known = self._lengths[axis].setdefault(padded, lengths)
        self.exact[axis][:] &= (known == lengths) & (lengths > 0)

    @contextlib.contextmanager
    def apart(self, size: tuple[int, int]) -> Iterator[None]:
        """Inside, the maps of a padded (height, width) are known, and what they become."""
        outside = self._lengths
        self._lengths = tuple(
            {side: self.lengths(axis, side)} for axis, side in enumerate(size)
        )
        try:
            yield
        finally:
            self._lengths = outside

    def change(self, axis: int, padded: int, formula: Callable[[Any], Any]) -> None:
        """Notes a map that is as long as `formula` says of another's length."""
        lengths = np.asarray(formula(self.lengths(axis, padded))).astype(int)
        self.set_lengths(axis, int(formula(padded)), lengths)

    def array(self, key: Any, axis: int, make: Callable[[int], Any]) -> Any:
        """Something that depends on the length of an image, for each image.

        Args:
            key: what it is; one key always means the same.
            axis: 0 if it depends on the height, 1 if on the width.
            make: from the image's length to NumPy arrays of fixed shapes.

        Returns:
            The arrays, traced, with a leading axis over the images.
        """
        if self._arrays is not None:
            return self._arrays[list(self._makers).index(key)]
        self._makers.setdefault(key, (axis, make))
        example = make(self.size[axis])
        return jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (self._batch, *np.shape(leaf))), example
        )

    def length(self, axis: int, padded: int) -> jax.Array:
        """The valid length of the maps of a padded length, (N,) int32."""
        lengths = self.lengths(axis, padded)
        return self.array(
            ("length", axis, padded, lengths.tobytes()),
            axis,
            lambda image: np.int32(lengths[image]),
        )

    def mask(self, height: int, width: int) -> jax.Array:
        """Where the maps of a padded size are valid, (N, height, width) bool."""
        rows = jnp.arange(height) < self.length(0, height)[:, None]
        columns = jnp.arange(width) < self.length(1, width)[:, None]
        return rows[:, :, None] & columns[:, None, :]

    def fill(self, x: jax.Array, value: float = 0) -> jax.Array:
        """(N, H, W, C) with `value` in place of all that is not valid."""
        return jnp.where(
            self.mask(*x.shape[1:3])[..., None], x, jnp.asarray(value, x.dtype)
        )

    def set_grid(self, grid: tuple[int, int], before: int = 0) -> None:
        """Notes that the map of (h, w) becomes a row of h * w tokens.

        Args:
            grid: (h, w).
            before: how many more tokens stand before them, class tokens.
        """
        known = self._grids.setdefault(before + grid[0] * grid[1], (grid, before))
        if known != (grid, before):
            raise NoMaskedForm(f"{before + grid[0] * grid[1]} tokens of two kinds")

    def token_mask(self, count: int) -> jax.Array:
        """Which of `count` tokens, noted by `set_grid`, are valid, (N, count) bool."""
        if count not in self._grids:
            raise NoMaskedForm(
                f"attention over {count} tokens that no map is known to make"
            )
        grid, before = self._grids[count]
        mask = self.mask(*grid).reshape(self._batch, -1)
        return jnp.pad(mask, ((0, 0), (before, 0)), constant_values=True)


@contextlib.contextmanager
def maps_apart(x: jax.Array) -> Iterator[None]:
    """In a bucket, the maps that are made of x (N, H, W, C) inside are known inside alone.

    Two chains of operations may lead to maps of one padded length, and to different
    lengths of an image: 36 rows become 9 and then, by a window of 8, one; five strides
    of 2 that round up make 2 of them. Where neither map meets the other, both are right.
    """
    sizes = in_bucket()
    if sizes is None:
        yield
        return
    with sizes.apart(x.shape[1:3]):
        yield


def mask_windows(
    x: jax.Array,
    window: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
    fill: float = 0,
) -> jax.Array:
    """Prepares x (N, H, W, C) for an operation with sliding windows.

    In a bucket `fill` takes the place of what is not valid; elsewhere x stays.

    Args:
        x: the input.
        window: (height, width) of the windows.
        stride, padding, dilation: the stride, padding and dilation of the windows,
            (vertical, horizontal) in pixels.
        fill: what the operation sees beyond the border.
    """
    sizes = in_bucket()
    if sizes is None:
        return x
    shape = x.shape[1:3]
    if max(window) > 1 or any(padding):
        x = sizes.fill(x, fill)
    for axis in range(2):
        reach = dilation[axis] * (window[axis] - 1) + 1
        margin, step = 2 * padding[axis] - reach, stride[axis]
        sizes.change(
            axis, shape[axis], lambda n, m=margin, step=step: (n + m) // step + 1
        )
    return x


def mask_transposed(
    x: jax.Array, window: tuple[int, int], stride: int, padding: int
) -> jax.Array:
    """As `mask_windows`, for a transposed convolution."""
    sizes = in_bucket()
    if sizes is None:
        return x
    shape = x.shape[1:3]
    x = sizes.fill(x)
    for axis in range(2):
        grow = window[axis] - 2 * padding
        sizes.change(axis, shape[axis], lambda n, g=grow: (n - 1) * stride + g)
    return x

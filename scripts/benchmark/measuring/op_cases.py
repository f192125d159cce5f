"""The operations that `scripts/benchmark/ops.py` measures, as plain data.

Both sides read it: ours builds each kind in `scripts/benchmark/measuring/ops.py`, PyTorch's in
`scripts/benchmark/torch_side/ops.py`, from the same numbers.
"""

import dataclasses
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: what the row is called.
        kind: which operation.
        arrays: (what it holds, shape) of every input, pixels as (N, H, W, C) and
            kernels as (kh, kw, in, out). It holds `normal` numbers, `positive` ones
            that end at zero, as after a ReLU, or integers below a number.
        options: of the operation.
        backward: whether it has a gradient, by every input of floating type.
    """

    name: str
    kind: str
    arrays: tuple[tuple[Any, tuple[int, ...]], ...]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    backward: bool = True


def make_arrays(name: str, arrays: Sequence[tuple[Any, Sequence[int]]]) -> list:
    """The inputs of a case: the same on every machine and on both sides."""
    made = []
    for number, (content, shape) in enumerate(arrays):
        rng = np.random.default_rng([zlib.crc32(name.encode()), number])
        if isinstance(content, int):
            made.append(rng.integers(0, content, shape, np.int32))
            continue
        values = rng.standard_normal(shape, np.float32)
        made.append(np.maximum(values, 0) if content == "positive" else values)
    return made


def _conv(name, x, side, features, groups=1, **options):
    rows, columns = side if isinstance(side, tuple) else (side, side)
    kernel = (rows, columns, x[-1] // groups, features)
    options = {"stride": 1, "padding": 0, "dilation": 1, "groups": groups} | options
    return Case(name, "conv", (("normal", x), ("normal", kernel)), options)


def _depthwise(name, x, side, **options):
    return _conv(f"depthwise {name}", x, side, x[-1], x[-1], **options)


def _transposed(name, x, side, features, stride, padding):
    kernel = (side, side, x[-1], features)
    arrays = (("normal", x), ("normal", kernel))
    options = {"stride": stride, "padding": padding}
    return Case(f"transposed {name}", "conv_transpose", arrays, options)


def _pool(name, kind, x, **options):
    return Case(name, kind, (("positive", x),), options)


def _resize(mode, name, x, size, align_corners=False):
    options = {"size": size, "mode": mode, "align_corners": align_corners}
    name = f"{mode} {name}{', corners aligned' * align_corners}"
    return Case(name, "resize", (("normal", x),), options)


def _labelled(name, x, kind="upsample_loss", backward=True, **options):
    size = (512, 512)
    arrays = (("normal", x), (x[-1], (x[0], *size)))
    name = f"{name} {x[1]}->{size[0]}"
    return Case(name, kind, arrays, {"size": size} | options, backward)


def _on_features(name, kind, x, extra=0, **options):
    arrays = (("normal", x), *(("normal", x[-1:]),) * extra)
    return Case(name, kind, arrays, options)


def _norm(name, x, train):
    return _on_features(name, "batch_norm", x, 2, train=train)


def _on_maps(name, x):
    return Case(name, "largest_channel", (("normal", x),), backward=False)


def _attention(name, queries, keys, heads, width):
    shapes = [(1, length, heads, width) for length in (queries, keys, keys)]
    return Case(name, "attention", tuple(("normal", shape) for shape in shapes))


CASES = (
    _conv("3x3 3->64 stride 2", (1, 256, 256, 3), 3, 64, stride=2, padding=1),
    _conv("3x3 64->64", (1, 128, 128, 64), 3, 64, padding=1),
    _conv("3x3 256->256", (1, 32, 32, 256), 3, 256, padding=1),
    _conv("3x3 256->256 dilated 2", (1, 32, 32, 256), 3, 256, padding=2, dilation=2),
    _conv("3x3 512->512 dilated 4", (1, 32, 32, 512), 3, 512, padding=4, dilation=4),
    _conv("3x3 128->128 stride 2", (1, 64, 64, 128), 3, 128, stride=2, padding=1),
    _conv("3x3 2048->512", (1, 16, 16, 2048), 3, 512, padding=1),
    _conv("3x1 64->64", (1, 128, 128, 64), (3, 1), 64, padding=(1, 0)),
    _conv("1x3 16->16", (1, 256, 256, 16), (1, 3), 16, padding=(0, 1)),
    _conv("7x7 3->64 stride 2", (1, 256, 256, 3), 7, 64, stride=2, padding=3),
    _conv("16x16 3->384 stride 16", (1, 512, 512, 3), 16, 384, stride=16),
    _conv("1x1 64->256", (1, 128, 128, 64), 1, 256),
    _conv("1x1 1024->256", (1, 32, 32, 1024), 1, 256),
    _conv("1x1 512->2048", (1, 32, 32, 512), 1, 2048),
    _conv("1x1 256->512 stride 2", (1, 64, 64, 256), 1, 512, stride=2),
    _depthwise("3x3 256c", (1, 64, 64, 256), 3, padding=1),
    _depthwise("3x3 96c stride 2", (1, 128, 128, 96), 3, padding=1, stride=2),
    _depthwise("5x5 64c", (1, 128, 128, 64), 5, padding=2),
    _depthwise("7x7 96c", (1, 128, 128, 96), 7, padding=3),
    _depthwise("3x3 512c dilated 12", (1, 64, 64, 512), 3, padding=12, dilation=12),
    _depthwise("1x7 64c", (1, 64, 64, 64), (1, 7), padding=(0, 3)),
    _depthwise("7x1 64c", (1, 64, 64, 64), (7, 1), padding=(3, 0)),
    _conv("3x3 256c, 2 groups", (1, 32, 32, 256), 3, 256, 2, padding=1),
    _conv("3x3 256c, 32 groups", (1, 64, 64, 256), 3, 256, 32, padding=1),
    _conv(
        "3x3 512c, 32 groups, stride 2",
        (1, 64, 64, 512),
        3,
        512,
        32,
        padding=1,
        stride=2,
    ),
    _transposed("2x2 stride 2 256->128", (1, 32, 32, 256), 2, 128, 2, 0),
    _transposed("4x4 stride 2 256->128", (1, 32, 32, 256), 4, 128, 2, 1),
    _transposed("4x4 stride 4 128->64", (1, 32, 32, 128), 4, 64, 4, 0),
    _transposed("3x3 stride 1 64->64", (1, 64, 64, 64), 3, 64, 1, 1),
    _pool(
        "max 3x3 stride 2", "max_pool", (1, 256, 256, 64), window=3, stride=2, padding=1
    ),
    _pool(
        "max 2x2 stride 2", "max_pool", (1, 256, 256, 64), window=2, stride=2, padding=0
    ),
    _pool(
        "max 3x3 stride 1", "max_pool", (1, 64, 64, 128), window=3, stride=1, padding=1
    ),
    _pool("average 2x2", "avg_pool", (1, 64, 64, 256), window=2),
    _pool("average 4x4, odd size", "avg_pool", (1, 65, 65, 256), window=4),
    _pool("global average", "adaptive_avg_pool", (1, 64, 64, 512), sizes=(1,)),
    _pool(
        "adaptive 1, 2, 3, 6", "adaptive_avg_pool", (1, 64, 64, 512), sizes=(1, 2, 3, 6)
    ),
    Case(
        "pyramid 1, 2, 3, 6 of 2048c",
        "pyramid",
        (("normal", (1, 32, 32, 2048)), *(("normal", (1, 1, 2048, 512)),) * 4),
        {"sizes": (1, 2, 3, 6)},
    ),
    _resize("bilinear", "256c 32->128", (1, 32, 32, 256), (128, 128)),
    _resize("bilinear", "256c 32->128", (1, 32, 32, 256), (128, 128), True),
    _resize("bilinear", "19c 64->512", (1, 64, 64, 19), (512, 512)),
    _resize("bilinear", "19c 64->512", (1, 64, 64, 19), (512, 512), True),
    _resize("bilinear", "150c 128->512", (1, 128, 128, 150), (512, 512)),
    _resize("bilinear", "150c 128->512", (1, 128, 128, 150), (512, 512), True),
    _resize("bilinear", "64c 128->48", (1, 128, 128, 64), (48, 48)),
    _resize("bilinear", "512c 6->64", (1, 6, 6, 512), (64, 64), True),
    _resize("bicubic", "384c 32->40", (1, 32, 32, 384), (40, 40)),
    _resize("nearest", "256c 32->64", (1, 32, 32, 256), (64, 64)),
    _labelled("upsample + CE 19c", (1, 64, 64, 19)),
    _labelled("upsample + CE 150c", (1, 128, 128, 150)),
    _labelled(
        "upsample + OHEM + CE 19c",
        (1, 64, 64, 19),
        ohem={"thresh": 0.7, "min_kept": 10000},
    ),
    _labelled("upsample + sigmoid CE 19c", (1, 64, 64, 19), loss="sigmoid"),
    _labelled("upsample + Dice 19c", (1, 64, 64, 19), loss="dice"),
    _labelled("upsample + Dice of 0.x 19c", (1, 64, 64, 19), loss="dice of 0.x"),
    _labelled("upsample + focal 19c", (1, 64, 64, 19), loss="focal"),
    _labelled("upsample + Tversky 19c", (1, 64, 64, 19), loss="tversky"),
    _labelled("upsample + Lovasz 19c", (1, 64, 64, 19), loss="lovasz"),
    _labelled("upsample + OhemCrossEntropy 19c", (1, 64, 64, 19), loss="ohem"),
    _labelled("upsample + accuracy 19c", (1, 64, 64, 19), "upsample_accuracy", False),
    Case(
        "upsample + argmax 19c 64->512",
        "upsample_argmax",
        (("normal", (1, 64, 64, 19)),),
        {"size": (512, 512)},
        False,
    ),
    Case(
        "upsample + argmax 150c 128->512",
        "upsample_argmax",
        (("normal", (1, 128, 128, 150)),),
        {"size": (512, 512)},
        False,
    ),
    Case(
        "10000th of 512 x 512",
        "kth_smallest",
        (("normal", (1, 512, 512)),),
        {"k": 10000},
        False,
    ),
    _on_maps("argmax 19c", (1, 512, 512, 19)),
    _on_maps("argmax 150c", (1, 128, 128, 150)),
    _attention("attention 1025 x 1025, 6 x 64", 1025, 1025, 6, 64),
    _attention("attention 4096 x 256, 2 x 32", 4096, 256, 2, 32),
    Case(
        "linear 384->1536",
        "linear",
        (("normal", (1, 1025, 384)), ("normal", (384, 1536))),
    ),
    _on_features("layer norm 384c", "layer_norm", (1, 1025, 384), 2),
    _norm("batch norm, training, 256c", (1, 64, 64, 256), True),
    _norm("batch norm, training, 64c", (2, 128, 128, 64), True),
    _norm("batch norm, evaluation, 256c", (1, 64, 64, 256), False),
    _on_features("GELU", "gelu", (1, 1025, 1536)),
    _on_features("softmax 150c", "softmax", (1, 128, 128, 150)),
    Case(
        "confusion matrix 150 classes",
        "confusion",
        ((150, (1, 512, 512)), (150, (1, 512, 512))),
        {"num_classes": 150},
        False,
    ),
)

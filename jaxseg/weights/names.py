"""Names of parameters in Flax trees and in PyTorch state dicts."""

import re
from collections.abc import Sequence

LEAVES = {
    "kernel": "weight",
    "transposed_kernel": "weight",
    "scale": "weight",
    "mean": "running_mean",
    "var": "running_var",
}


def torch_key(path: Sequence[str]) -> str:
    """Returns the state dict key of a leaf of a Flax tree.

    Submodules carry their PyTorch names, which may hold dots, so the path is joined as
    it is. Two things differ: the names of leaves, and the elements of a list field of
    the segmentor, which Flax calls `auxiliary_head_0` and PyTorch `auxiliary_head.0`.

    Args:
      path: Names from the root, `('backbone', 'layer1.0', 'conv1', 'kernel')`.

    Returns:
      The key, 'backbone.layer1.0.conv1.weight'.
    """
    *modules, leaf = path
    if modules:
        modules[0] = re.sub(r"_(\d+)$", r".\1", modules[0])
    return ".".join([*modules, LEAVES.get(leaf, leaf)])

"""Names of parameters in Flax trees and in PyTorch state dicts."""

from collections.abc import Sequence

LEAVES = {
    "kernel": "weight",
    "transposed_kernel": "weight",
    "scale": "weight",
    "slope": "weight",
    "code_scale": "scale",
    "factor": "scale",
    "embedding": "weight",
    "mean": "running_mean",
    "var": "running_var",
}


def torch_key(path: Sequence[str]) -> str:
    """Returns the state dict key of a leaf of a Flax tree.

    Submodules carry their PyTorch names, which may hold dots, so the path is joined as
    it is. Modules in a tuple field are `auxiliary_head.0` (`part.Part`). The names of
    leaves alone differ.

    Args:
        path: Names from the root, `('backbone', 'layer1.0', 'conv1', 'kernel')`.

    Returns:
        The key, 'backbone.layer1.0.conv1.weight'.
    """
    *modules, leaf = path
    return ".".join([*modules, LEAVES.get(leaf, leaf)])

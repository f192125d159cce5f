"""Makes multi_scale_deform_attn.npz, what mmcv computes, with its gradients.

    python -m tests.ops.make_multi_scale_deform_attn

in an environment with mmcv 2.1.0 and torch 2.13.
"""

import pathlib

import numpy as np
import torch
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

OUT = pathlib.Path(__file__).with_name("multi_scale_deform_attn.npz")
SIZES = np.array([(2, 3), (5, 4)])


def main():
    rng = np.random.default_rng(0)
    pixels = int(SIZES.prod(1).sum())
    arrays = {
        "value": rng.standard_normal((2, pixels, 2, 3)),
        # Some lead out of the map.
        "places": rng.uniform(-0.2, 1.2, (2, 7, 2, 2, 3, 2)),
        "weights": rng.uniform(0, 1, (2, 7, 2, 2, 3)),
    }
    inputs = {key: torch.tensor(x, requires_grad=True) for key, x in arrays.items()}
    value, places, weights = inputs.values()
    y = multi_scale_deformable_attn_pytorch(value, torch.tensor(SIZES), places, weights)
    cotangent = rng.standard_normal(y.shape)
    y.backward(torch.tensor(cotangent))
    of = {f"of_{key}": x.grad.numpy() for key, x in inputs.items()}
    arrays |= {"sizes": SIZES, "g": cotangent, "y": y.detach().numpy()}
    np.savez_compressed(OUT, **arrays, **of)


if __name__ == "__main__":
    main()

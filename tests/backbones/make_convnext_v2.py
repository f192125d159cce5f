"""Makes convnext_v2.npz: the maps that mmpretrain's ConvNeXt V2 gives.

    python -m tests.backbones.make_convnext_v2

in an environment with torch 2.13, mmpretrain 1.2.0 and jaxseg. The network is that of
tests/models/cases.py; weights are those of the recipe in tests/reference/README.md, and
the images those of `maps`. Maps are float64, (N, h, w, C).
"""

import pathlib

import numpy as np
import torch
from mmpretrain.models.backbones import ConvNeXt

from jaxseg.testing.reference import fill
from tests.models.cases import MODULES, maps

OUT = pathlib.Path(__file__).with_name("convnext_v2.npz")


def main():
    config = dict(MODULES["ConvNeXt"].config)
    config.pop("type")
    net = ConvNeXt(**config).double()
    net.eval()
    net.load_state_dict(
        {
            key: torch.from_numpy(fill(key, tuple(array.shape), 0))
            for key, array in net.state_dict().items()
        }
    )
    (images,) = maps("ConvNeXt")
    images = np.asarray(images, np.float64).transpose(0, 3, 1, 2)
    with torch.no_grad():
        found = net(torch.from_numpy(images))
    np.savez_compressed(OUT, *(x.numpy().transpose(0, 2, 3, 1) for x in found))


if __name__ == "__main__":
    main()

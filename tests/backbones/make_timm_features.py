"""Makes timm_features.npz: the features that timm computes.

    python -m tests.backbones.make_timm_features

in an environment with torch 2.13, timm 1.0.31 and jaxseg, in float64. Of each case it
keeps the names and shapes of the state dict, and of each feature its shape, SAMPLES of
its values and their places. The weights and the image are those of the recipe in
tests/reference/README.md, under the keys that mmseg's TIMMBackbone has.
"""

import json
import pathlib

import numpy as np
import timm
import torch

from jaxseg.testing.reference import fill, image
from tests.backbones.timm_cases import CASES, SEED

OUT = pathlib.Path(__file__).with_name("timm_features.npz")
SAMPLES = 40


def main():
    arrays = {}
    for name, (config, side) in CASES.items():
        net = timm.create_model(features_only=True, pretrained=False, **config)
        net = net.double().eval()
        state = {
            key: torch.from_numpy(fill(f"timm_model.{key}", tuple(array.shape), SEED))
            if array.is_floating_point()
            else array
            for key, array in net.state_dict().items()
        }
        net.load_state_dict(state)
        shapes = {f"timm_model.{key}": tuple(a.shape) for key, a in state.items()}
        arrays[f"{name}/shapes"] = json.dumps(shapes)
        img = image(1, (side, side), SEED).transpose(0, 3, 1, 2).astype(np.float64)
        with torch.no_grad():
            features = net(torch.from_numpy(img))
        rng = np.random.default_rng(SEED)
        for i, feature in enumerate(features):
            values = feature.numpy().transpose(0, 2, 3, 1)
            index = rng.integers(0, values.size, SAMPLES)
            arrays[f"{name}/{i}/shape"] = np.array(values.shape)
            arrays[f"{name}/{i}/index"] = index
            arrays[f"{name}/{i}/value"] = values.ravel()[index]
        print(name, [tuple(feature.shape) for feature in features])
    np.savez_compressed(OUT, **arrays)


if __name__ == "__main__":
    main()

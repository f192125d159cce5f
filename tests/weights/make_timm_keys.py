"""Makes timm_keys.json: the names and shapes of some of timm's models.

    python tests/weights/make_timm_keys.py

in an environment with torch 2.13 and timm 1.0.31.
"""

import json
import pathlib

import timm

OUT = pathlib.Path(__file__).with_name("timm_keys.json")
MODELS = ("convnext_atto", "convnextv2_atto", "poolformer_s12")


def shapes(name):
    net = timm.create_model(name)
    return {key: list(array.shape) for key, array in net.state_dict().items()}


if __name__ == "__main__":
    OUT.write_text(json.dumps({name: shapes(name) for name in MODELS}) + "\n")

"""Makes mobilenet_v3_keys.json: the names and shapes of torchvision's MobileNetV3.

    python tests/weights/make_mobilenet_v3_keys.py

in an environment with torch 2.13 and torchvision 0.29.
"""

import json
import pathlib

from torchvision.models import mobilenet_v3_large, mobilenet_v3_small

OUT = pathlib.Path(__file__).with_name("mobilenet_v3_keys.json")


def shapes(net):
    return {
        key: list(array.shape)
        for key, array in net.state_dict().items()
        if array.is_floating_point()
    }


if __name__ == "__main__":
    names = {
        "small": shapes(mobilenet_v3_small()),
        "large": shapes(mobilenet_v3_large()),
    }
    OUT.write_text(json.dumps(names) + "\n")

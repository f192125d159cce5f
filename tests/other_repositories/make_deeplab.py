"""Makes the cases of github.com/jfzhang95/pytorch-deeplab-xception.

    PYTHONPATH=CLONE:. python -m tests.other_repositories.make_deeplab [NAME ...]

in an environment with torch and jaxseg; CLONE is a clone of that repository.
"""

import pathlib
import sys

from modeling.backbone import drn
from modeling.deeplab import DeepLab
from torch import nn
from torch.utils import model_zoo

from tests.other_repositories.making import write
from tests.other_repositories.models import CLASSES, DEEPLAB


def make(name):
    kind = name.split("_")[0]
    stride = 8 if name.endswith("_8") else 16
    net = DeepLab(kind, stride, CLASSES, sync_bn=False)
    if name.startswith("drn_"):  # the repository has them, but builds drn_d_54 alone
        net.backbone = getattr(drn, name)(nn.BatchNorm2d, pretrained=False)
        net.decoder.conv1 = nn.Conv2d(64, 48, 1, bias=False)
    return net


def main(names):
    model_zoo.load_url = lambda url: {}  # no ImageNet weights
    drn.drn_d_54.__defaults__ = (False,)  # nor any that must be there
    for name in names or DEEPLAB:
        net = make(name)
        path = pathlib.Path(__file__).with_name(f"deeplab_{name}.npz")
        write(
            path, [net], DEEPLAB[name], lambda images, net=net: {"decode": net(images)}
        )


if __name__ == "__main__":
    main(sys.argv[1:])

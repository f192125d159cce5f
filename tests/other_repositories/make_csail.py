"""Makes the cases of github.com/CSAILVision/semantic-segmentation-pytorch.

    PYTHONPATH=CLONE:. python -m tests.other_repositories.make_csail [NAME ...]

in an environment with torch and jaxseg; CLONE is a clone of that repository at 3dac6b3,
whose decoders give a dict of logits.
"""

import pathlib
import sys

import torch
from mit_semseg.models import ModelBuilder

from tests.other_repositories.making import SIZE, write
from tests.other_repositories.models import CLASSES, CSAIL

WIDTHS = {
    "resnet18dilated": 512,
    "resnet50dilated": 2048,
    "resnet50": 2048,
    "mobilenetv2dilated": 320,
    "hrnetv2": 720,
}


def main(names):
    torch.load = lambda *args, **kwargs: {}  # fresh weights, without a download
    for name in names or CSAIL:
        arch, _, decoder_arch = name.partition("-")
        width = WIDTHS[arch]
        encoder = ModelBuilder.build_encoder(arch, width, weights="none")
        decoder = ModelBuilder.build_decoder(
            decoder_arch, width, CLASSES, weights="none"
        )

        def logits_of(images, encoder=encoder, decoder=decoder):
            maps = decoder(encoder(images, return_feature_maps=True))
            found = {"decode": maps["logits"], "aux": maps.get("deepsup_logits")}
            return {
                head: logits for head, logits in found.items() if logits is not None
            }

        path = pathlib.Path(__file__).with_name(f"csail_{name}.npz")
        size = (64, 96) if arch == "hrnetv2" else SIZE  # it pads to multiples of 32
        write(path, [encoder, decoder], CSAIL[name], logits_of, size)


if __name__ == "__main__":
    main(sys.argv[1:])

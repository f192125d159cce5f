"""Prints docs/models.md, which is made of the tables of contents.

    python scripts/models_page.py > docs/models.md

A line an entry: its paper, as its file names it; the configs of mmsegmentation 1.2.2 that
have it; the cases of tests/reference that it stands in; whether it takes part in buckets
and bands; and what a user of mmseg should know.
"""

import argparse
import json
import pathlib
import re
import sys
from types import ModuleType

import numpy as np

from jaxseg import backbones, heads, necks, text_encoders
from jaxseg.backbones.backbone import Backbone
from jaxseg.command_line import command
from jaxseg.heads.head import Head
from jaxseg.necks.neck import Neck
from jaxseg.text_encoders.text_encoder import TextEncoder

_ROOT = pathlib.Path(__file__).parents[1]

_INTRODUCTION = """\
# Models

`python scripts/models_page.py > docs/models.md` writes this page from the tables of
contents (`jaxseg/backbones/__init__.py` and the like).

- **configs**: how many of the 681 configs of MMSegmentation 1.2.2 have the entry.
- **cases**: the families of which a [reference case](../tests/reference/README.md) with
  this entry is in the tests: logits, losses, gradients and statistics are mmseg's, to
  1e-6 in float64.
- **buckets**: images of several sizes share one compiled program, in which they are
  padded, and get the numbers of their exact sizes. Without it a size is a program.
- **bands**: the rows of one large image are split over devices (`mesh.spatial`).

[docs/pretrained.md](pretrained.md) says which files of weights are read.
"""

# How many of mmsegmentation 1.2.2's configs have the entry in their model.
CONFIGS = {
    "ANNHead": 16,
    "APCHead": 12,
    "ASPPHead": 64,
    "BEiT": 4,
    "BiSeNetV1": 11,
    "BiSeNetV2": 4,
    "CCHead": 16,
    "CGNet": 2,
    "CLIPTextEncoder": 6,
    "ConvNeXt": 6,
    "DAHead": 16,
    "DDRHead": 2,
    "DDRNet": 2,
    "DMHead": 12,
    "DNLHead": 12,
    "DPTHead": 1,
    "DepthwiseSeparableASPPHead": 51,
    "DepthwiseSeparableFCNHead": 1,
    "EMAHead": 4,
    "ERFNet": 1,
    "EncHead": 21,
    "FCNHead": 602,
    "FPN": 19,
    "FPNHead": 19,
    "FastSCNN": 1,
    "Feature2Pyramid": 6,
    "GCHead": 16,
    "HRNet": 66,
    "ICNeck": 12,
    "ICNet": 12,
    "ISAHead": 16,
    "IterativeDecodeHead": 7,
    "JPU": 12,
    "LRASPPHead": 4,
    "LightHamHead": 4,
    "MAE": 2,
    "MLANeck": 3,
    "MSCAN": 4,
    "Mask2FormerHead": 13,
    "MaskFormerHead": 4,
    "MixVisionTransformer": 13,
    "MobileNetV2": 8,
    "MobileNetV3": 4,
    "MultiLevelNeck": 7,
    "NLHead": 16,
    "OCRHead": 24,
    "PCPVT": 6,
    "PIDHead": 3,
    "PIDNet": 3,
    "PSAHead": 16,
    "PSPHead": 83,
    "PointHead": 4,
    "PoolFormer": 5,
    "ResNeSt": 8,
    "ResNet": 50,
    "ResNetV1c": 402,
    "SETRMLAHead": 3,
    "SETRUPHead": 4,
    "STDCContextPathNet": 4,
    "STDCHead": 4,
    "STDCNet": 4,
    "SVT": 6,
    "SegformerHead": 13,
    "SegmenterMaskTransformerHead": 4,
    "SideAdapterCLIPHead": 6,
    "SwinTransformer": 23,
    "UNet": 25,
    "UPerHead": 64,
    "VPDDepthHead": 2,
    "VisionTransformer": 30,
}

# What a user of mmseg should know.
DIFFERENCES = {
    "ANNHead": "computes `query_scales` other than (1,), with which mmseg fails",
    "CLIPTextEncoder": "needs `pip install 'jaxseg[text]'`; what it makes of the classes "
    "is computed when weights are put into the model, and is anew where the `vocabulary` "
    "is another one; it does not repair broken Unicode as `ftfy` does",
    "DPTHead": "refuses `expand_channels=True`, with which mmseg fails",
    "DeepLabV3PlusHead": "pytorch-deeplab-xception's; mmseg has another one",
    "HRNet": "`zero_init_residual` has an effect; in mmseg 1.2.2 it has none",
    "LRASPPHead": "needs 392 pixels a side, because of its window of 49 cells",
    "PSAHead": "a single compact branch computes what mmseg's does, whatever its name",
    "ResNeSt": "`zero_init_residual` has an effect; in mmseg 1.2.2 it has none",
    "ResNeXt": "`zero_init_residual` has an effect; in mmseg 1.2.2 it has none",
    "SideAdapterCLIPHead": "refuses to train with a `class_weight` for other classes, as "
    "mmseg does: its configs of Pascal Context and VOC have one of COCO's",
    "TIMMBackbone": "does not need timm; [its models](pretrained.md#models-of-timm)",
    "VPDDepthHead": "takes the maps of any backbone of four stages; VPD's own is missing",
    "VisionTransformer": "takes `patch_bias` from the checkpoint where the config is "
    "silent; mmseg 1.x drops that bias",
}


@command
def main(arguments: list[str]) -> int:
    """Prints the page; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    print(page(), end="")
    return 0


def page() -> str:
    """The text of docs/models.md."""
    cases = _cases()
    tables = (
        _table("Backbones", backbones, Backbone, cases),
        _table("Necks", necks, Neck, cases),
        _table("Heads", heads, Head, cases),
        _table("Text encoders", text_encoders, TextEncoder, cases),
    )
    return "\n".join([_INTRODUCTION, *tables])


def entries(table: ModuleType, role: type) -> dict[str, type]:
    """The entries of a table of contents that are models' parts of this role."""
    named = ((name, getattr(table, name)) for name in sorted(table.__all__))
    return {name: entry for name, entry in named if issubclass(entry, role)}


def _table(title, table, role, cases):
    lines = [
        f"## {title}\n",
        "| | paper | configs | cases | buckets | bands | known differences |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, entry in entries(table, role).items():
        cells = (
            f"[{name}](../{_file_of(entry)})",
            _paper(entry),
            CONFIGS.get(name, ""),
            ", ".join(sorted(cases.get(name, ()))),
            "yes" if entry.takes_padding else "",
            "yes" if entry.takes_bands else "",
            DIFFERENCES.get(name, ""),
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _file_of(entry):
    return entry.__module__.replace(".", "/") + ".py"


def _paper(entry):
    """What the first line of the entry's file calls it, with the file's first address."""
    text = sys.modules[entry.__module__].__doc__
    name = re.sub(r":? https?://.*", "", text.partition("\n")[0]).rstrip(".,:")
    address = re.search(r"https?://[^\s),]+", text)
    return f"[{name}]({address[0].rstrip('.')})" if address else name


def _cases():
    """{entry: families} of the cases in tests/reference."""
    found = {}
    for path in sorted((_ROOT / "tests" / "reference").glob("*.npz")):
        family = path.name.partition("__")[0]
        for name in _types(json.loads(str(np.load(path)["model"]))):
            found.setdefault(name, set()).add(family)
    return found


def _types(config):
    """The names of all entries in a config, without their libraries."""
    if isinstance(config, dict):
        if isinstance(config.get("type"), str):
            yield config["type"].rpartition(".")[2]
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _types(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

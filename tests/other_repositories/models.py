"""Our configs of other repositories' models: those of experiments, for five classes."""

import pathlib

from jaxseg.config import load

_PAGES = pathlib.Path(__file__).parents[2] / "experiments"
CLASSES = 5


def _model(page, argument):
    """The model of a page, without its preprocessor."""
    config = load(f"{_PAGES / page}.py:{argument}")["model"]
    del config["data_preprocessor"]
    for head in config.keys() & {"decode_head", "auxiliary_head"}:
        config[head]["num_classes"] = CLASSES
    return config


def _deeplab(argument, **changes):
    """A backbone of another kind, and ASPP as at 1/8."""
    config = _model("voc_deeplab_xception", argument)
    config["backbone"] |= changes
    config["decode_head"]["dilations"] = [1, 12, 24, 36]
    if "depth" in changes:  # DRN of basic blocks
        config["decode_head"]["c1_in_channels"] = 64
    return config


# By the backbone's name, and what is other than in the page.
DEEPLAB = {
    "mobilenet": _model("voc_deeplab_xception", "mobilenet"),
    "mobilenet_8": _deeplab(
        "mobilenet",
        strides=[1, 2, 2, 1, 1, 1, 1],
        dilations=[1, 1, 1, 1, [2, 2, 2], [2, 2, 2], 4],
    ),
    "resnet": _model("voc_deeplab_xception", "resnet"),
    "xception": _model("voc_deeplab_xception", "xception"),
    "xception_8": _deeplab("xception", output_stride=8),
    "drn": _model("voc_deeplab_xception", "drn"),
    "drn_c_26": _deeplab("drn", arch="C", depth=26),
}

# By the names of the encoder and the decoder.
CSAIL = {
    name: _model("ade20k_csail", name)
    for name in (
        "resnet18dilated-ppm_deepsup",
        "mobilenetv2dilated-c1_deepsup",
        "hrnetv2-c1",
        "resnet50-upernet_lite",
    )
}

"""An unmodified config, its `.pth` and an image file: what mmseg makes of them.

tests/mmseg_pair/make_pair.py made the files, and the numbers with MMSegmentation 1.2.2:
`inference_model`, and SegTTAModel for `tta`.
"""

import pathlib

import numpy as np
import pytest

from jaxseg.apis import inference_model, init_model
from jaxseg.load_config import load_config

FOLDER = pathlib.Path(__file__).parent / "mmseg_pair"
IMAGE = FOLDER / "image.png"
EXPECTED = dict(np.load(FOLDER / "expected.npz"))

# A config -> the checkpoint it goes with.
CHECKPOINTS = {
    "whole": "whole",  # PSPNet; the image is resized with its ratio
    "whole_align_corners": "whole",  # resized without it
    "whole_padded": "whole",  # to a multiple, and cropped
    "slide": "whole",
    "slide_padded": "whole",
    "slide_resized": "whole",  # with windows that are higher than the image
    "binary_slide": "binary_slide",  # U-Net with one output channel; it takes BGR
    "vit": "vit",  # patches that go over the border, a table of positions resized
}


def model_of(name, config=None):
    config = FOLDER / "configs" / f"{config or name}.py"
    return init_model(config, FOLDER / f"{CHECKPOINTS[name]}.pth")


def check_logits(found, expected):
    found = found[::5, ::5]
    if expected.shape[-1] == 1:
        found = 1 / (1 + np.exp(-found))
    np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())


def check_classes(found, expected):
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    # Sums are rounded in another order: a pixel on a border may fall either way.
    assert (found == expected).mean() >= 0.9999


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_inference_model_gives_what_mmseg_gives(name):
    model = model_of(name)
    classes, logits = inference_model(model, str(IMAGE), return_logits=True)
    check_classes(classes, EXPECTED[f"{name}/classes"])
    check_logits(logits, EXPECTED[f"{name}/logits"])
    np.testing.assert_array_equal(inference_model(model, IMAGE), classes)


def test_a_jpeg_that_its_exif_turns_upright():
    classes, logits = inference_model(model_of("whole"), FOLDER / "image.jpg", True)
    check_classes(classes, EXPECTED["jpg/classes"])
    check_logits(logits, EXPECTED["jpg/logits"])
    assert (classes == EXPECTED["whole/classes"]).mean() > 0.9


def test_a_config_of_mmseg_0_is_the_same_model():
    classes, logits = inference_model(model_of("whole", "whole_v0"), IMAGE, True)
    check_classes(classes, EXPECTED["whole/classes"])
    check_logits(logits, EXPECTED["whole/logits"])


def test_classes_and_palette_are_the_checkpoint_s():
    assert model_of("whole").classes == ("ground", "disc", "square", "bar")
    assert model_of("whole").palette[1] == (230, 120, 40)
    assert model_of("binary_slide").classes == ("background", "thing")


@pytest.mark.parametrize(
    "name", ["whole", "whole_padded", "slide", "slide_padded", "vit"]
)
def test_scales_and_flips(name):
    config = FOLDER / "configs" / f"{name}.py"
    # mmseg's tools/test.py needs --tta for it.
    assert not load_config(config)["tta"]["enabled"]
    config = load_config(config, overrides=[("tta.enabled", True)])
    model = init_model(config, FOLDER / f"{CHECKPOINTS[name]}.pth")
    check_classes(inference_model(model, IMAGE), EXPECTED[f"{name}/tta"])
    # The flips and scales matter.
    assert (EXPECTED[f"{name}/tta"] != EXPECTED[f"{name}/classes"]).mean() > 0.005


def test_the_stored_label_maps_are_no_noise():
    for name in CHECKPOINTS:
        classes = EXPECTED[f"{name}/classes"]
        assert len(np.unique(classes)) == (2 if name == "binary_slide" else 4)
        # Neighbours mostly agree: a border is a line.
        assert (classes[1:] == classes[:-1]).mean() > 0.9

"""One image on eight devices: what one device predicts, without gathering anything."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg import apis
from jaxseg.config import ConfigError
from jaxseg.inference.bands import BandPredictor
from jaxseg.inference.predictor import Predictor
from jaxseg.resolve import resolve
from scripts.benchmark.measuring.program_text import read_program
from scripts.benchmark.measuring.program_traffic import collectives
from tests.models.segmentors import model_config

SIDE, CHANNELS = 256, 3
IMAGE = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, CHANNELS), np.uint8)

NAMES = ("psp", "unet", "unet_deconv", "aspp", "sep_aspp", "uper", "fpn", "enc", "ocr")


def build(name, **changes):
    model = resolve({**model_config(name), **changes}, "model")
    return model, model.init(jax.random.key(0), jnp.zeros((1, 64, 64, CHANNELS)))


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_eight_devices_predict_as_one(name):
    model, variables = build(name)
    one = Predictor(model, jax.devices()[:1])
    eight = BandPredictor(model, jax.devices())
    given = one.put_variables(variables), IMAGE
    split = eight.put_variables(variables), IMAGE
    # As the image, and as one that was scaled: neither side divides over the devices.
    for size in ((SIDE, SIDE), (SIDE - 3, SIDE + 40)):
        want, got = one.logits(*given, size), eight.logits(*split, size)
        assert got.shape == (1, *size, want.shape[-1])
        assert np.abs(got - want).max() < 1e-5 * np.abs(want).max()
        label_map = eight.label_maps(*split, size)
        np.testing.assert_array_equal(label_map, one.label_maps(*given, size))
    compiled = eight.lower(variables, (SIDE, SIDE), (SIDE, SIDE)).compile()
    logits_of_one = 4 * np.prod(want.shape[-1:]) * (SIDE // 8) ** 2
    for found in collectives(read_program(compiled.as_text())):
        assert not found.in_loop, found
        # Beside rows of neighbours, the sums of pooled cells alone.
        if found.kind != "collective-permute":
            assert found.kind == "all-reduce" and found.bytes < logits_of_one, found


def test_a_device_needs_its_share_of_the_memory():
    model, variables = build("psp")
    one, eight = (
        BandPredictor(model, jax.devices()[:count])
        .lower(variables, (1024, 512), (1024, 512))
        .compile()
        .memory_analysis()
        .temp_size_in_bytes
        for count in (1, 8)
    )
    assert eight < one / 5


@pytest.mark.long
def test_what_cannot_be_split_is_named():
    with pytest.raises(
        ConfigError, match=r"model\.backbone \(VisionTransformer\) does not say"
    ):
        BandPredictor(build("vit")[0], jax.devices())
    model, variables = build("psp")
    predictor = BandPredictor(model, jax.devices())
    with pytest.raises(
        ConfigError, match="72x64 cannot be split .* backbone.*stride 2"
    ):
        predictor.lower(variables, (72, 64), (72, 64))
    unet, of_unet = build("unet")
    with pytest.raises(ConfigError, match="does not take 9x64, a device's part"):
        BandPredictor(unet, jax.devices()).lower(of_unet, (72, 64), (72, 64))
    with pytest.raises(ConfigError, match="68 rows, which do not divide over the 8"):
        predictor.lower(variables, (68, 64), (68, 64))
    slide = dict(mode="slide", crop_size=(64, 64), stride=(32, 32))
    with pytest.raises(ConfigError, match=r"test_cfg\.mode is 'slide'"):
        BandPredictor(build("psp", test_cfg=slide)[0], jax.devices())


def test_a_config_with_spatial_predicts_on_its_devices():
    config = {"model": model_config("psp")}
    image = IMAGE[0, :128]
    whole = apis.init_model(config)
    split = apis.init_model({**config, "mesh": {"spatial": 4}})
    np.testing.assert_array_equal(split.predict(image), whole.predict(image))
    assert split.predictor.count_of_compilations() == "compiled: 1 times"
    label_map, logits = split.predict(image, return_logits=True)
    np.testing.assert_array_equal(label_map, logits.argmax(-1))
    with pytest.raises(ConfigError, match=r"mesh\.spatial is 9; .* 8 devices"):
        apis.init_model({**config, "mesh": {"spatial": 9}})
    tta = {"img_ratios": (1.0,)}
    with pytest.raises(ConfigError, match="tta averages"):
        apis.init_model({**config, "mesh": {"spatial": 8}, "tta": tta})

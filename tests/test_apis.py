"""init_model, inference_model and show_result, as a notebook uses them."""

import json
import os
import pathlib
import re
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from input_pipeline.errors import DataError
from jaxseg.apis import inference_model, init_model, show_result
from jaxseg.config import ConfigError
from tests.small_unet import small_unet

TINY = pathlib.Path(__file__).parent / "tiny.py"


def config_of(channels=3, head=None, loading=None):
    """The smallest config: `model` alone, as mmseg's configs write it."""
    config = dict(
        model=dict(
            type="EncoderDecoder",
            pretrained=None,
            data_preprocessor=dict(
                type="SegDataPreProcessor",
                mean=[100.0 * (i + 1) for i in range(channels)],
                std=[50.0 * (i + 1) for i in range(channels)],
                bgr_to_rgb=True,
                pad_val=0,
                seg_pad_val=255,
                size=(16, 16),
            ),
            backbone=small_unet(
                in_channels=channels,
                with_cp=False,
                conv_cfg=None,
                norm_cfg=dict(type="SyncBN", requires_grad=True),
                act_cfg=dict(type="ReLU"),
                upsample_cfg=dict(type="InterpConv"),
                norm_eval=False,
            ),
            decode_head=dict(
                type="FCNHead",
                in_channels=4,
                in_index=1,
                channels=4,
                num_convs=1,
                concat_input=False,
                dropout_ratio=0.1,
                norm_cfg=dict(type="SyncBN", requires_grad=True),
                **(head or dict(num_classes=5)),
            ),
            train_cfg=dict(),
            test_cfg=dict(mode="whole"),
        )
    )
    if loading:
        entry = dict(type="LoadImageFromFile", **loading)
        config["val_dataloader"] = dict(dataset=dict(pipeline=[entry]))
    return config


def image_of(height, width, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture(scope="module")
def model():
    return init_model(config_of())


def test_a_file_makes_the_same_model_as_its_dict(model, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_of()))
    image = image_of(16, 24)
    expected = inference_model(model, image)
    np.testing.assert_array_equal(inference_model(init_model(path), image), expected)


def test_a_list_gives_a_list(model, tmp_path):
    images = [image_of(16, 24), image_of(24, 16)]
    path = tmp_path / "image.png"
    Image.fromarray(images[1]).save(path)
    found = inference_model(model, [images[0], path])
    assert [one.shape for one in found] == [(16, 24), (24, 16)]
    for one, image in zip(found, images):
        np.testing.assert_array_equal(one, inference_model(model, image))
    turned = tuple(image[..., ::-1] for image in images)
    pairs = inference_model(model, turned, True, channel_order="bgr")
    for (label_map, logits), expected in zip(pairs, found):
        np.testing.assert_array_equal(label_map, expected)
        assert logits.shape == (*expected.shape, 5)
    assert inference_model(model, []) == []


def test_an_array_in_the_order_of_cv2():
    model = init_model(config_of())
    image = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    expected = inference_model(model, image, return_logits=True)[1]
    turned = image[..., ::-1]
    _, logits = inference_model(model, turned, True, channel_order="bgr")
    np.testing.assert_array_equal(logits, expected)
    _, swapped = inference_model(model, turned, True)
    assert np.abs(swapped - expected).max() > 1e-3
    with pytest.raises(ValueError, match=r"channel_order is 'BGR', allowed: 'rgb', "):
        inference_model(model, image, channel_order="BGR")


def test_a_file_and_its_pixels_give_the_same(model, tmp_path):
    image = image_of(16, 24)
    path = tmp_path / "image.png"
    Image.fromarray(image).save(path)
    label_map, logits = inference_model(model, image, return_logits=True)
    assert label_map.shape == (16, 24)
    assert label_map.dtype == np.uint8
    assert logits.shape == (16, 24, 5)
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(label_map, logits.argmax(-1))
    assert len(np.unique(label_map)) > 1
    for given in (path, str(path)):
        np.testing.assert_array_equal(inference_model(model, given), label_map)
    # RGB, not BGR.
    other = inference_model(model, image[..., ::-1], return_logits=True)[1]
    assert np.abs(other - logits).max() > 1e-3


def test_encode_decode_takes_normalised_images(model):
    image = image_of(16, 24)
    # By hand: the mean and standard deviation of the config.
    normalised = (image - np.float32([100, 200, 300])) / np.float32([50, 100, 150])
    logits = model.encode_decode(normalised[None])
    assert logits.shape == (1, 16, 24, 5)
    assert logits.dtype == jnp.float32
    expected = inference_model(model, image, return_logits=True)[1]
    np.testing.assert_allclose(logits[0], expected, atol=1e-6)
    assert model.encode_decode(np.zeros((2, 8, 8, 3), np.float32)).shape == (2, 8, 8, 5)


@pytest.mark.parametrize("shape", [(16, 24, 3), (1, 3, 16, 24)])
def test_encode_decode_refuses_other_shapes(model, shape):
    message = f"shape {re.escape(str(shape))}; encode_decode takes .N, H, W, 3"
    with pytest.raises(ValueError, match=message):
        model.encode_decode(np.zeros(shape, np.float32))


def test_what_is_no_image(model, tmp_path):
    with pytest.raises(DataError, match="missing.png"):
        inference_model(model, tmp_path / "missing.png")
    with pytest.raises(DataError, match=r"array of shape \(4,\); an image is \(H, W\)"):
        inference_model(model, np.zeros(4, np.uint8))
    with pytest.raises(DataError, match="4 channels of uint8, .* color_type='unchang"):
        inference_model(model, image_of(16, 24, 4))
    with pytest.raises(ConfigError, match="^the given array: .* 15 x 24 .* 2 divides"):
        inference_model(model, image_of(15, 24))


def test_grey_images_fit_a_model_of_colours(model, tmp_path):
    grey = image_of(16, 24)[..., 0]
    path = tmp_path / "grey.png"
    Image.fromarray(grey).save(path)
    expected = inference_model(model, np.stack([grey] * 3, -1))
    np.testing.assert_array_equal(inference_model(model, path), expected)
    np.testing.assert_array_equal(inference_model(model, grey), expected)
    assert show_result(model, path, expected).shape == (16, 24, 3)


def test_one_channel_images():
    model = init_model(config_of(1, loading=dict(color_type="grayscale")))
    label_map = inference_model(model, image_of(16, 24)[..., 0])
    assert label_map.shape == (16, 24)


def test_four_channels_of_16_bits(tmp_path):
    model = init_model(config_of(4, loading=dict(color_type="unchanged")))
    image = image_of(16, 24, 4).astype(np.uint16) * 257
    np.save(tmp_path / "image.npy", image)
    label_map, logits = inference_model(model, image, return_logits=True)
    np.testing.assert_array_equal(
        inference_model(model, tmp_path / "image.npy"), label_map
    )
    # By hand: a mean and a standard deviation a channel, in units of 16 bits.
    mean, std = np.float32([100, 200, 300, 400]), np.float32([50, 100, 150, 200])
    expected = model.encode_decode(((image - mean) / std)[None])
    np.testing.assert_allclose(logits, expected[0], rtol=1e-4, atol=1e-3)
    shown = show_result(model, image, label_map)
    assert shown.shape == (16, 24, 3)
    assert shown.dtype == np.uint8
    with pytest.raises(ConfigError, match="array has 3 channels, .*in_channels is 4"):
        inference_model(model, image[..., :3])


def test_a_binary_head():
    head = dict(num_classes=2, out_channels=1, threshold=0.5)
    head["loss_decode"] = dict(type="CrossEntropyLoss", use_sigmoid=True)
    model = init_model(config_of(head=head))
    label_map, logits = inference_model(model, image_of(16, 24), return_logits=True)
    assert logits.shape == (16, 24, 1)
    np.testing.assert_array_equal(label_map, logits[..., 0] > 0)
    assert len(model.palette) == len(model.classes) == 2


def test_show_result(model, tmp_path):
    image = image_of(16, 24)
    label_map = np.zeros((16, 24), np.uint8)
    label_map[:, 12:] = 4
    out_file = tmp_path / "new" / "result.png"
    shown = show_result(model, image, label_map, opacity=1, out_file=out_file)
    np.testing.assert_array_equal(shown[:, :12], np.full((16, 12, 3), model.palette[0]))
    np.testing.assert_array_equal(shown[:, 12:], np.full((16, 12, 3), model.palette[4]))
    np.testing.assert_array_equal(np.asarray(Image.open(out_file)), shown)
    half = show_result(model, image, label_map)
    # mmseg's sum, cut off to uint8.
    expected = (image * 0.5 + shown * 0.5).astype(np.uint8)
    np.testing.assert_array_equal(half, expected)
    with pytest.raises(ValueError, match="16x24, its label map has shape .8, 24."):
        show_result(model, image, label_map[:8])


def test_wrong_configs(tmp_path):
    with pytest.raises(ConfigError, match="nowhere.json: there is no such config file"):
        init_model(tmp_path / "nowhere.json")
    with pytest.raises(ConfigError, match="'modle' is no key .*did you mean 'model'"):
        init_model(dict(modle={}))
    with pytest.raises(ConfigError, match="no `model`"):
        init_model({})


@pytest.mark.long
def test_a_notebook_trains_evaluates_and_predicts(tiny_data, tmp_path):
    """In a process of its own, in which nobody has parsed absl's flags."""
    program = f"""
import jaxseg.apis as apis
config = apis.load_config({f"{TINY}:{tiny_data}"!r})
config.train_cfg = dict(max_iters=4)
config.train_dataloader.num_workers = 1
if __name__ == "__main__":
    assert apis.train(config, "run") == 0
    scores = apis.evaluate("run")
    image = {str(tiny_data / "images" / "val" / "00.png")!r}
    (done,) = apis.predict(apis.init_model("run"), [image], "out")
    assert done.error is None, done.error
    print(sorted(scores.summary), done.file)
"""
    (tmp_path / "notebook.py").write_text(program)
    result = subprocess.run(
        [sys.executable, "notebook.py"],
        cwd=tmp_path,
        check=False,
        env=os.environ | {"PYTHONPATH": str(TINY.parents[1]), "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    last = result.stdout.splitlines()[-1]
    assert last == "['aAcc', 'mAcc', 'mIoU'] out/labels/00.png"

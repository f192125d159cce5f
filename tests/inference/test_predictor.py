"""Whole, slide and augmented inference: sizes, compilations, devices.

That it gives mmseg's numbers is shown in test_inference_mmseg.py.
"""

import functools

import jax
import jax.monitoring
import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.inference.predictor import Predictor
from jaxseg.inference.slide import window_corners
from jaxseg.resolve import resolve
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.testing.reference import fill
from jaxseg.weights.state_dict import from_state_dict, to_state_dict
from tests.small_unet import small_unet

SEED = 13
NORM = dict(type="BN", requires_grad=True)


def vit(align_corners=False, **test_cfg):
    return dict(
        type="EncoderDecoder",
        data_preprocessor=dict(
            type="SegDataPreProcessor",
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        ),
        backbone=dict(
            type="VisionTransformer",
            img_size=(32, 32),
            patch_size=8,
            embed_dims=16,
            num_layers=1,
            num_heads=2,
            mlp_ratio=2,
            out_indices=(0,),
        ),
        decode_head=dict(
            type="FCNHead",
            in_channels=16,
            in_index=0,
            channels=16,
            num_convs=0,
            concat_input=False,
            num_classes=7,
            norm_cfg=NORM,
            align_corners=align_corners,
        ),
        test_cfg=test_cfg or dict(mode="whole"),
    )


def unet(head, **test_cfg):
    return dict(
        type="EncoderDecoder",
        data_preprocessor=dict(
            type="SegDataPreProcessor", mean=[127.5] * 3, std=[60.0] * 3
        ),
        backbone=small_unet(norm_cfg=NORM),
        decode_head=dict(
            type="FCNHead",
            in_channels=4,
            in_index=1,
            channels=4,
            num_convs=1,
            concat_input=False,
            norm_cfg=NORM,
            **head,
        ),
        test_cfg=test_cfg or dict(mode="whole"),
    )


BINARY = dict(
    num_classes=2,
    out_channels=1,
    threshold=0.5,
    loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=True),
)
THREE = dict(num_classes=3)


def image_of(height, width, seed=7):
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
    return cells.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


def weights_of(segmentor):
    """The recipe's weights in the tree of a model."""
    init = functools.partial(init_variables, segmentor, 0, 3, (32, 32))
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape), jax.eval_shape(init))
    shapes = {key: leaf.shape for key, leaf in to_state_dict(zeros).items()}
    weights = {key: fill(key, shape, SEED) for key, shape in shapes.items()}
    return from_state_dict(weights, zeros)


class Model:
    """A predictor with its weights, for images one by one."""

    def __init__(self, config, devices=1):
        segmentor = resolve(config, "model")
        self.predictor = Predictor(segmentor, jax.devices()[:devices])
        self.variables = self.predictor.put_variables(weights_of(segmentor))

    def classes(self, image, size=None):
        images, size = image[None], size or image.shape[:2]
        return np.asarray(self.predictor.label_maps(self.variables, images, size))[0]

    def logits(self, image, size=None):
        images, size = image[None], size or image.shape[:2]
        return np.asarray(self.predictor.logits(self.variables, images, size))[0]

    def augmented(self, images, size, directions):
        images = [image[None] for image in images]
        return np.asarray(
            self.predictor.augmented_label_maps(
                self.variables, images, size, directions
            )
        )[0]


def test_windows_lie_as_in_mmseg():
    # By hand, from slide_inference: the last row and column move back to the border.
    corners = window_corners((61, 75), (32, 40), (20, 27))
    expected = [(y, x) for y in (0, 20, 29) for x in (0, 27, 35)]
    np.testing.assert_array_equal(corners, expected)
    np.testing.assert_array_equal(window_corners((9, 9), (9, 12), (3, 3)), [(0, 0)])


@pytest.fixture
def compiled():
    """Names of the programs that XLA compiled, from when the list was last cleared."""
    names = []

    def listen(event, duration, **facts):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(facts["fun_name"])

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


def test_whole_compiles_twice_for_every_size(compiled):
    model = Model(unet(THREE))
    compiled.clear()
    for seed in range(3):
        for size in [(16, 24), (24, 16), (32, 40)]:
            model.classes(image_of(*size, seed))
    assert model.predictor.compilations == {"network": 3, "rest": 3}
    # Another original size: the network is not compiled again.
    model.classes(image_of(16, 24), (20, 30))
    assert model.predictor.compilations == {"network": 3, "rest": 4}
    # XLA saw no others: nothing runs operation by operation.
    assert sorted(compiled) == 4 * ["jit(_run_finish)"] + 3 * ["jit(_run_network)"]


def test_slide_compiles_the_network_once(compiled):
    test_cfg = dict(mode="slide", crop_size=(16, 16), stride=(12, 12))
    model = Model(unet(THREE, **test_cfg))
    compiled.clear()
    for size in [(16, 16), (17, 31), (40, 16), (33, 57), (17, 31)]:
        model.classes(image_of(*size))
    assert model.predictor.compilations == {"network": 1, "rest": 4}
    # Nor does a flip need another network.
    model.augmented([image_of(17, 31)], (17, 31), ("horizontal", "vertical"))
    assert model.predictor.compilations["network"] == 1
    # An image below the window is one more size.
    model.classes(image_of(10, 40))
    assert model.predictor.compilations["network"] == 2
    assert len(compiled) == sum(model.predictor.compilations.values())


def test_the_programs_that_are_kept_are_bounded(monkeypatch):
    monkeypatch.setattr("jaxseg.inference.programs._MOST_PROGRAMS", 3)
    model = Model(unet(THREE))
    first = model.classes(image_of(16, 24))
    for width in (32, 40):
        model.classes(image_of(16, width))
    np.testing.assert_array_equal(first, model.classes(image_of(16, 24)))
    # Four programs are dropped before the third size; the count goes on.
    assert model.predictor.compilations == {"network": 4, "rest": 4}


def test_a_window_that_covers_the_image_is_the_whole_image():
    whole = Model(vit())
    slide = Model(vit(mode="slide", crop_size=(48, 80), stride=(40, 40)))
    image = image_of(45, 71)
    np.testing.assert_array_equal(slide.classes(image), whole.classes(image))
    np.testing.assert_array_equal(slide.logits(image), whole.logits(image))


@pytest.mark.parametrize(
    "test_cfg",
    [dict(mode="whole"), dict(mode="slide", crop_size=(24, 24), stride=(16, 16))],
    ids=["whole", "slide"],
)
def test_the_number_of_devices_changes_no_bit(test_cfg):
    images = np.stack([image_of(32, 40, seed) for seed in range(8)])
    results = []
    for devices in (1, 2, 4, 8):
        model = Model(unet(THREE, **test_cfg), devices)
        parts = [
            model.predictor.logits(model.variables, images[i : i + devices], (35, 43))
            for i in range(0, 8, devices)
        ]
        results.append(np.concatenate([np.asarray(part) for part in parts]))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_more_than_256_classes():
    model = Model(unet(dict(num_classes=300)))
    # The classes from 256 on win everywhere.
    bias = model.variables["params"]["decode_head"]["conv_seg"]["bias"]
    model.variables["params"]["decode_head"]["conv_seg"]["bias"] = bias + 100 * (
        np.arange(300, dtype=np.float32) > 256
    )
    classes, logits = model.classes(image_of(16, 24)), model.logits(image_of(16, 24))
    assert classes.dtype == np.uint16
    assert classes.min() > 256
    np.testing.assert_array_equal(classes, logits.argmax(-1))


def test_the_threshold_of_a_binary_head():
    # sigmoid(x) > 0.5 where x > 0, and > 0.2 where x > log(0.2 / 0.8).
    image = image_of(16, 24)
    for threshold, least in ((0.5, 0.0), (0.2, np.log(0.25))):
        model = Model(unet(BINARY | dict(threshold=threshold)))
        logits = model.logits(image)
        assert logits.shape == (16, 24, 1)
        classes = model.classes(image)
        np.testing.assert_array_equal(classes, logits[..., 0] > least)
        maps = model.predictor.classes(logits[None])
        np.testing.assert_array_equal(maps[0], classes)
        if threshold == 0.5:
            assert set(np.unique(classes)) == {0, 1}


def test_augmenting_a_binary_head_takes_the_sigmoid_once():
    model, image = Model(unet(BINARY)), image_of(16, 24)
    logits, flipped = model.logits(image), model.logits(image[:, ::-1])[:, ::-1]
    mean = sum(1 / (1 + np.exp(-x)) for x in (logits, flipped)) / 2
    found = model.augmented([image], (16, 24), ["horizontal"])
    np.testing.assert_array_equal(found, mean[..., 0] > 0.5)
    assert set(np.unique(found)) == {0, 1}
    predictor = model.predictor
    probabilities = predictor.augmented_probabilities(
        model.variables, [image[None]], (16, 24), ["horizontal"]
    )
    np.testing.assert_allclose(probabilities[0], mean, atol=1e-6)
    classes = predictor.classes(probabilities, probabilities=True)
    np.testing.assert_array_equal(classes[0], found)


def test_a_size_that_the_backbone_refuses():
    message = r"the model does not take the image: the image is 15 x 24 .* 2 divides"
    with pytest.raises(ConfigError, match=message):
        Model(unet(THREE)).classes(image_of(15, 24))


@pytest.mark.parametrize(
    ("test_cfg", "message"),
    [
        (dict(mode="tiles"), r"model.test_cfg.mode: is 'tiles', allowed: 'whole'"),
        (dict(mode="slide", stride=(2, 2)), "test_cfg.crop_size: mode=.* needs"),
        (
            dict(mode="slide", crop_size=(8, 8), stride=4),
            r"test_cfg.stride: expected tuple\[int, int\] .*, found 4",
        ),
        (dict(mode="slide", crop_size=(8, 8), stride=(4, 0)), "both must be 1 at l"),
        (
            dict(mod="slide"),
            r"test_cfg.mod: this key is not known \(did you mean 'mode",
        ),
        (
            None,
            "test_cfg: expected TestCfg, found None; TestCfg is a dict of mode, crop",
        ),
        (
            dict(mode="slide", crop_size=(8, 8), stride=(8, 9)),
            r"stride: is \(8, 9\), larger than crop_size=\(8, 8\): no window would see",
        ),
    ],
)
def test_wrong_test_cfg(test_cfg, message):
    with pytest.raises(ConfigError, match=message):
        resolve(unet(THREE) | dict(test_cfg=test_cfg), "model")

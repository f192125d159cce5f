"""Models from configs and checkpoints: weights, classes, palette, pipeline."""

import functools
import logging

import jax
import numpy as np
import pytest
from PIL import Image

from input_pipeline.palette import distinct_palette
from input_pipeline.transforms import LoadImageFromFile, Resize
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.config import ConfigError, plain
from jaxseg.inference.loaded import load_model
from jaxseg.inference.pictures import predict_files
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.load import LoadError
from jaxseg.weights.state_dict import to_state_dict

PALETTE = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def config_of(num_classes=3, **rest):
    return plain(
        dict(
            model=dict(
                type="EncoderDecoder",
                backbone=dict(
                    type="VisionTransformer",
                    img_size=(16, 16),
                    patch_size=8,
                    embed_dims=8,
                    num_layers=1,
                    num_heads=2,
                    out_indices=(0,),
                ),
                decode_head=dict(
                    type="FCNHead",
                    in_channels=8,
                    in_index=0,
                    channels=8,
                    num_convs=0,
                    concat_input=False,
                    num_classes=num_classes,
                ),
            ),
            **rest,
        )
    )


def random_variables(config):
    """Anything that differs from what training starts with."""
    model = resolve_model(config["model"])
    init = functools.partial(init_variables, model, 0, 3, (16, 16))
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: rng.standard_normal(leaf.shape, np.float32), jax.eval_shape(init)
    )


def save(folder, config, **state):
    with Checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(7, state, config=config)
        checkpoints.wait()
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A work directory, its config and its parameters."""
    config = config_of(
        dataset_meta=dict(classes=["sky", "road", "car"], palette=PALETTE)
    )
    params = random_variables(config)["params"]
    folder = save(tmp_path_factory.mktemp("run"), config, params=params)
    return folder, config, params


def test_a_checkpoint_brings_its_config_classes_and_weights(trained):
    folder, config, params = trained
    for path in (folder, folder / "checkpoints", folder / "checkpoints" / "7"):
        model = load_model(None, path)
        assert model.config == config
        assert model.classes == ("sky", "road", "car")
        assert model.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
        jax.tree.map(np.testing.assert_array_equal, model.variables["params"], params)
    # A config with the model alone: classes as they were trained.
    model = load_model(config_of(), folder)
    assert model.classes == ("sky", "road", "car")


def test_the_moving_average_is_what_is_used(tmp_path):
    config = config_of()
    params = random_variables(config)["params"]
    ema = jax.tree.map(lambda leaf: leaf + 1, params)
    folder = save(tmp_path, config, params=params, ema=ema)
    variables = load_model(None, folder).variables
    jax.tree.map(np.testing.assert_array_equal, variables["params"], ema)


def test_weights_that_do_not_fit(trained):
    folder, _, _ = trained
    with pytest.raises(LoadError) as raised:
        load_model(config_of(num_classes=4), folder)
    message = str(raised.value)
    assert f"{folder} does not fit the model in 2 keys" in message
    assert "misshapen: decode_head.conv_seg.bias is (3,), the model has (4,)" in message


def as_pth(path, variables, **meta):
    write_weights(path, to_state_dict(variables), meta)
    return path


def test_a_file_of_mmsegs_brings_weights_and_classes(tmp_path):
    config, names = config_of(), ["sky", "road", "car"]
    variables = random_variables(config)
    file = as_pth(tmp_path / "a.pth", variables, classes=names, palette=PALETTE)
    # mmseg's init_model, too, asks the checkpoint first.
    config["val_dataloader"] = dict(
        dataset=dict(metainfo=dict(classes=["x", "y", "z"]))
    )
    model = load_model(config, file)
    assert model.classes == tuple(names)
    assert model.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    jax.tree.map(np.testing.assert_array_equal, model.variables, variables)
    unnamed = load_model(config, as_pth(tmp_path / "b.pth", variables))
    assert unnamed.classes == ("x", "y", "z")
    with pytest.raises(LoadError, match=r"a\.pth holds weights and no config"):
        load_model(None, file)
    other = as_pth(tmp_path / "c.pth", variables, classes=["a", "b"])
    with pytest.raises(ConfigError, match=r"is 3, but .*c\.pth has 2 classes: a, b"):
        load_model(config, other)


def test_half_precision_is_computed_with_in_float32(tmp_path):
    config = config_of()
    half = jax.tree.map(lambda leaf: leaf.astype("float16"), random_variables(config))
    model = load_model(config, as_pth(tmp_path / "a.pth", half))
    jax.tree.map(np.testing.assert_array_equal, model.variables, half)
    assert {leaf.dtype for leaf in jax.tree.leaves(model.variables)} == {
        np.dtype("float32")
    }


def test_the_bias_of_the_patches_is_there_if_it_is_in_the_checkpoint(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    config = config_of()
    with_bias = config_of()
    with_bias["model"]["backbone"]["patch_bias"] = True
    variables = random_variables(with_bias)
    file = as_pth(tmp_path / "a.pth", variables)
    # As mmseg 1.x's configs are; its own model would drop the bias of 0.x's weights.
    model = load_model(config, file)
    jax.tree.map(np.testing.assert_array_equal, model.variables, variables)
    assert model.config["model"] == with_bias["model"]
    assert "patch_bias" not in config["model"]["backbone"]
    assert "model.backbone.patch_bias=True: so it is in" in caplog.text
    # What the config says is what is built.
    without = config_of()
    without["model"]["backbone"]["patch_bias"] = False
    with pytest.raises(LoadError) as raised:
        load_model(without, file)
    assert "unexpected: backbone.patch_embed.projection.bias" in str(raised.value)
    assert "belongs to model.backbone.patch_bias=True" in str(raised.value)


def test_inference_does_not_look_for_starting_weights(tmp_path):
    config = config_of()
    file = as_pth(tmp_path / "a.pth", random_variables(config))
    trained, fresh = load_model(config, file), load_model(config)
    # Looking for it would raise.
    config["model"]["pretrained"] = "open-mmlab://there_is_none"
    for found, expected in (
        (load_model(config, file), trained),
        (load_model(config), fresh),
    ):
        jax.tree.map(np.testing.assert_array_equal, found.variables, expected.variables)


def test_without_either():
    with pytest.raises(ValueError, match="needs a config or a checkpoint"):
        load_model(None)


def test_classes_of_the_configs_data_set(tmp_path):
    config = config_of()
    folder = save(tmp_path, config, params=random_variables(config)["params"])
    made_up = load_model(config, folder)
    assert made_up.classes == ("class 0", "class 1", "class 2")
    assert made_up.palette == distinct_palette(3)

    dataset = dict(metainfo=dict(classes=["a", "b", "c"], palette=PALETTE))
    for owner in (
        dataset,
        dataset | dict(type="BaseSegDataset"),
        dict(type="RepeatDataset", times=2, dataset=dataset),
        dict(type="ConcatDataset", datasets=[dataset, dataset]),
    ):
        config = config_of(val_dataloader=dict(dataset=owner))
        model = load_model(config, folder)
        assert model.classes == ("a", "b", "c")
        assert model.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))

    known = dict(type="CityscapesDataset", metainfo=dict(classes=["car", "sky", "bus"]))
    model = load_model(config_of(val_dataloader=dict(dataset=known)), folder)
    assert model.palette == ((0, 0, 142), (70, 130, 180), (0, 60, 100))  # Cityscapes'

    with pytest.raises(
        ConfigError, match="is 3, but val_dataloader.dataset has 19 classes: ro"
    ):
        load_model(
            config_of(val_dataloader=dict(dataset=dict(type="CityscapesDataset"))),
            folder,
        )


def test_the_test_pipeline_is_that_of_validation_without_labels(trained):
    pipeline = [
        dict(type="LoadImageFromFile"),
        dict(type="Resize", scale=[30, 20], keep_ratio=True),
        dict(type="LoadAnnotations", reduce_zero_label=True),
        dict(type="PackSegInputs"),
    ]
    inner = dict(metainfo=dict(classes=["a", "b", "c"]), pipeline=pipeline)
    dataset = dict(type="RepeatDataset", times=2, dataset=inner)
    model = load_model(config_of(val_dataloader=dict(dataset=dataset)), trained[0])
    assert model.pipeline[:2] == (
        LoadImageFromFile(),
        Resize(scale=(30, 20), keep_ratio=True),
    )
    image = np.zeros((10, 12, 3), np.uint8)
    sample = model.load_image(image)
    # 10x12 in a box of 30x20 is 20x24.
    assert sample["img"].shape == (20, 24, 3)
    assert sample["ori_shape"] == (10, 12)
    assert model.read_pixels(image).shape == (10, 12, 3)
    assert model.predict(image).shape == (10, 12)
    # Compiled for images one by one.
    assert len(model.predictor.devices) == 1


def test_without_a_pipeline_the_image_is_taken_as_it_is(trained):
    model = load_model(config_of(), trained[0])
    assert model.pipeline == (LoadImageFromFile(),)
    with pytest.raises(ConfigError, match="val_dataloader.dataset.pipeline.*Resiz"):
        broken = dict(dataset=dict(pipeline=[dict(type="Resiz", scale=3)]))
        load_model(config_of(val_dataloader=broken), trained[0])


@pytest.mark.parametrize(
    "step", [dict(type="Pad", size_divisor=32), dict(type="RandomFlip", prob=0.5)]
)
def test_a_label_map_lies_on_its_image(trained, step):
    pipeline = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations"), step]
    config = config_of(val_dataloader=dict(dataset=dict(pipeline=pipeline)))
    message = f"{step['type']} crops, pads, flips or rotates .* for predictions"
    with pytest.raises(ConfigError, match=message):
        load_model(config, trained[0])


TTA = dict(img_ratios=[0.5, 1.0], flip=True)


def with_tta(tta, *transforms):
    pipeline = [dict(type="LoadImageFromFile"), *transforms]
    return config_of(tta=tta, val_dataloader=dict(dataset=dict(pipeline=pipeline)))


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_scales_and_flips_are_averaged_where_the_config_asks_for_it(trained, tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
    # The versions scale the image themselves: the Resize of the config goes.
    model = load_model(
        with_tta(TTA, dict(type="Resize", scale=[24, 16], keep_ratio=True)), trained[0]
    )
    assert model.pipeline == (LoadImageFromFile(),)
    plain_model = load_model(config_of(), trained[0])
    mean = 0
    for version in (image, Resize(scale=(24, 16))({"img": image}, None)["img"]):
        for flip in (slice(None), slice(None, None, -1)):
            images = np.ascontiguousarray(version[:, flip])[None]
            logits = plain_model.predictor.logits(
                plain_model.variables, images, image.shape[:2]
            )
            mean = mean + softmax(np.asarray(logits)[0][:, flip]) / 4
    label_map, probabilities = model.predict(image, return_logits=True)
    # These weights' logits are hundreds, whose last bits are 1e-5.
    np.testing.assert_allclose(probabilities, mean, atol=2e-4)
    np.testing.assert_array_equal(label_map, probabilities.argmax(-1))
    np.testing.assert_array_equal(model.predict(image), label_map)
    assert (label_map != plain_model.predict(image)).any()
    # And so do the files that --mode predict writes.
    Image.fromarray(image).save(tmp_path / "a.png")
    [done] = predict_files(model, [tmp_path / "a.png"], tmp_path / "output")
    np.testing.assert_array_equal(np.asarray(Image.open(done.file)), label_map)


def test_a_tta_in_reserve_changes_nothing(trained):
    resize = dict(type="Resize", scale=[24, 16], keep_ratio=True)
    model = load_model(with_tta(TTA | dict(enabled=False), resize), trained[0])
    assert model.tta is None
    assert model.pipeline[1] == Resize(scale=(24, 16), keep_ratio=True)
    with pytest.raises(ConfigError, match="tta.img_ratio: this key is not known"):
        load_model(with_tta(dict(img_ratio=[1.0])), trained[0])


def test_tta_wants_the_image_at_its_own_size(trained):
    config = with_tta(TTA, dict(type="Pad", size=[64, 64]))
    with pytest.raises(ConfigError, match="Pad crops, pads, flips or rotates"):
        load_model(config, trained[0])

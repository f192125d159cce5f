"""Images of many sizes in a few programs count as they do at exact sizes."""

import collections
import functools
import logging

import jax
import numpy as np
import pytest

from jaxseg.backbones import ResNet
from jaxseg.inference.buckets.plan import exact_bucket, plan_buckets
from jaxseg.inference.predictor import Predictor
from jaxseg.metrics.iou_metric import IoUMetric
from jaxseg.ops.confusion import empty_total, read_total
from jaxseg.resolve import resolve
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.testing.reference import fill
from jaxseg.weights.state_dict import from_state_dict, to_state_dict

NORM = dict(type="BN")
CLASSES = 5
# Of the network's input and of the label. A bucket below 193 pixels is too small for
# the pooling to 6 x 6 cells of a map at a 32nd: six there is six for every image.
ITEMS = [
    ((210, 224), (210, 224)),
    ((200, 290), (100, 145)),
    ((193, 301), (120, 187)),
    ((224, 224), (180, 180)),
    ((216, 300), (216, 300)),
]


def resnet(**how):
    norm = dict(norm_cfg=NORM, stem_channels=8, base_channels=8)
    return dict(type="ResNetV1c", depth=18) | norm | how


def head(kind, **how):
    return dict(type=kind, num_classes=CLASSES, norm_cfg=NORM, channels=8) | how


DILATED = dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
LEVELS = dict(in_channels=(8, 16, 32, 64), in_index=(0, 1, 2, 3))
LIKE = dict(in_channels=(8,) * 4, in_index=(0, 1, 2, 3))
DEEPEST = dict(in_channels=64, in_index=3)
UNET = dict(
    type="UNet", base_channels=4, num_stages=3, strides=(1, 1, 1), norm_cfg=NORM,
    enc_num_convs=(1, 1, 1), dec_num_convs=(1, 1), downsamples=(True, True),
    enc_dilations=(1, 1, 1), dec_dilations=(1, 1),
)  # fmt: skip
VIT = dict(
    type="VisionTransformer", img_size=(64, 64), patch_size=16, embed_dims=16,
    num_layers=4, num_heads=2, mlp_ratio=2, out_indices=(0, 1, 2, 3), patch_bias=True,
)  # fmt: skip
PYRAMID = dict(
    type="MultiLevelNeck", in_channels=(16,) * 4, out_channels=8, scales=(4, 2, 1, 0.5)
)
MODELS = {
    "pspnet": dict(
        backbone=resnet(**DILATED), decode_head=head("PSPHead", **DEEPEST)
    ),
    "fcn_v1d": dict(
        backbone=resnet(type="ResNetV1d", **DILATED),
        decode_head=head("FCNHead", **DEEPEST, align_corners=True),
    ),
    "deeplabv3plus": dict(
        backbone=resnet(**DILATED),
        decode_head=head(
            "DepthwiseSeparableASPPHead", **DEEPEST, c1_in_channels=8, c1_channels=4,
            dilations=(1, 3, 6),
        ),
    ),
    "upernet": dict(backbone=resnet(), decode_head=head("UPerHead", **LEVELS)),
    "fpn": dict(
        backbone=resnet(),
        neck=dict(type="FPN", in_channels=(8, 16, 32, 64), out_channels=8, num_outs=4),
        decode_head=head("FPNHead", **LIKE, feature_strides=(4, 8, 16, 32)),
    ),
    "unet": dict(
        backbone=UNET,
        decode_head=head(
            "FCNHead", in_channels=4, in_index=2, channels=4, num_convs=1,
            concat_input=False,
        ),
    ),
    "vit_upernet": dict(
        backbone=VIT,
        neck=PYRAMID,
        decode_head=head("UPerHead", **LIKE, pool_scales=(1, 2, 3)),
    ),
}  # fmt: skip


def predictor_of(name, devices=1, padding=None, **test_cfg):
    config = MODELS[name] | dict(
        type="EncoderDecoder",
        data_preprocessor=dict(
            type="SegDataPreProcessor",
            mean=[127.5] * 3,
            std=[60.0] * 3,
            test_cfg=padding,
        ),
        test_cfg=test_cfg or dict(mode="whole"),
    )
    segmentor = resolve(config, "model")
    init = functools.partial(init_variables, segmentor, 0, 3, (64, 64))
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape), jax.eval_shape(init))
    shapes = {key: leaf.shape for key, leaf in to_state_dict(zeros).items()}
    weights = {key: fill(key, shape, 13) for key, shape in shapes.items()}
    predictor = Predictor(segmentor, jax.devices()[:devices])
    return predictor, predictor.put_variables(from_state_dict(weights, zeros))


def scene(item, seed):
    """An image at each scale, and their label."""
    rng = np.random.default_rng(seed)
    *sizes, label_size = item
    images = []
    for height, width in sizes:
        cells = rng.integers(0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8)
        images.append(cells.repeat(8, axis=0).repeat(8, axis=1)[:height, :width])
    label = rng.integers(0, CLASSES, label_size).astype(np.uint8)
    label[rng.random(label_size) < 0.1] = 255
    return images, label


def count(predictor, variables, items, bucket_of, together=1, directions=None):
    """The confusion matrix of a scene of each item, some of which run together."""
    groups = collections.defaultdict(list)
    for seed, item in enumerate(items):
        groups[bucket_of(item)].append(scene(item, seed))
    totals = (predictor.put_variables(empty_total(CLASSES)),)
    for bucket, scenes in groups.items():
        for i in range(0, len(scenes), together):
            some = scenes[i : i + together]
            is_sample = np.arange(together) < len(some)
            some += some[-1:] * (together - len(some))
            images, labels = zip(*some, strict=True)
            versions = list(zip(*images, strict=True))
            totals, _ = predictor.add_counts(
                totals, variables, versions, labels, bucket,
                is_sample=is_sample, ignore_index=255, directions=directions,
                metrics=(IoUMetric(),),
            )  # fmt: skip
    return read_total(totals[0])


def balance(predictor, variables, item):
    """Moves the classifier's bias so that every class wins somewhere."""
    (image, *_), _ = scene(item, 0)
    logits = np.asarray(predictor.logits(variables, image[None], item[0]))
    bias = variables["params"]["decode_head"]["conv_seg"]["bias"]
    offset = np.median(logits, axis=(0, 1, 2))
    variables["params"]["decode_head"]["conv_seg"]["bias"] = bias - offset


def items_for(name):
    if name != "unet":
        return ITEMS
    # The sizes that a UNet of three stages takes.
    return [((h // 4 * 4, w // 4 * 4), label) for (h, w), label in ITEMS]


@pytest.fixture
def two_buckets(monkeypatch):
    monkeypatch.setattr("jaxseg.inference.buckets.choose._MOST_BUCKETS", 2)


LONG = [pytest.param(n, marks=pytest.mark.long) for n in MODELS if n != "unet"]


@pytest.mark.usefixtures("two_buckets")
@pytest.mark.parametrize("name", ["unet", *LONG])
def test_counts_are_those_of_exact_sizes(name):
    predictor, variables = predictor_of(name)
    items = items_for(name)
    predictor.plan(variables, collections.Counter(items))
    assert all(predictor.bucket_of(item).padded for item in items)
    balance(predictor, variables, items[0])
    before = collections.Counter(predictor.compilations)
    padded = count(predictor, variables, items, predictor.bucket_of)
    assert predictor.compilations == before + collections.Counter(network=2, rest=2)
    exact = count(predictor, variables, items, exact_bucket)
    assert (exact.sum(0) > 0).sum() >= 4
    # XLA sums a convolution in another order at another shape, so that a tie between
    # two classes may end otherwise. Of the seven it did for one pixel of DeepLabV3+:
    # its two largest logits lay 2e-7 apart, while logits up to 1.3 differed by at most
    # 1.1e-6. In float64 none did, by 1e-15, so no padding was seen: that would change
    # most of the pixels.
    changed = np.abs(padded - exact).sum() // 2
    assert changed <= 1e-5 * exact.sum()


@pytest.mark.long
@pytest.mark.usefixtures("two_buckets")
def test_images_of_several_sizes_on_one_device():
    predictor, variables = predictor_of("unet")
    items = items_for("unet")
    predictor.plan(variables, collections.Counter(items))
    results = [
        count(predictor, variables, items, predictor.bucket_of, together)
        for together in (1, 3)
    ]
    np.testing.assert_array_equal(*results)


@pytest.mark.usefixtures("two_buckets")
def test_windows_and_images_below_them():
    slide = dict(mode="slide", crop_size=(64, 64), stride=(40, 48))
    predictor, variables = predictor_of("unet", **slide)
    sizes = [(64, 64), (100, 72), (48, 100), (44, 32), (64, 116)]
    items = [(size, size) for size in sizes]
    predictor.plan(variables, collections.Counter(items))
    padded = count(predictor, variables, items, predictor.bucket_of, 2)
    # The windows of all images are of two kinds: full ones, and smaller ones.
    assert predictor.compilations == {"network": 2, "rest": 2}
    exact = count(predictor, variables, items, exact_bucket)
    np.testing.assert_array_equal(padded, exact)


@pytest.mark.long
@pytest.mark.usefixtures("two_buckets")
def test_scales_and_flips_of_images_in_buckets():
    """The image is flipped before it is padded, and unflipped by its own size."""
    predictor, variables = predictor_of("unet")
    sizes = [(64, 76), (48, 100), (72, 56), (100, 44), (64, 64)]
    items = [((h // 8 * 4, w // 8 * 4), (h, w), (h, w)) for h, w in sizes]
    predictor.plan(variables, collections.Counter(items))
    assert all(predictor.bucket_of(item).padded for item in items)
    balance(predictor, variables, items[0])
    before = collections.Counter(predictor.compilations)
    flips = ("horizontal", "vertical")
    padded = count(predictor, variables, items, predictor.bucket_of, 2, flips)
    # In each bucket: a network a scale; the first version, those that are added to it
    # at either scale, and the choice of the class.
    programs = collections.Counter(network=2 * 2, rest=2 * 4)
    assert predictor.compilations == before + programs
    exact = count(predictor, variables, items, exact_bucket, 1, flips)
    assert (exact.sum(0) > 0).sum() >= 4
    np.testing.assert_array_equal(padded, exact)


@pytest.mark.long
@pytest.mark.usefixtures("two_buckets")
@pytest.mark.parametrize(
    "test_cfg", [{}, dict(mode="slide", crop_size=(64, 64), stride=(40, 48))]
)
def test_images_that_are_padded_to_multiples(test_cfg):
    """A bucket is planned of the sizes that the network sees; it takes no others."""
    predictor, variables = predictor_of(
        "unet", padding=dict(size_divisor=4), **test_cfg
    )
    sizes = [(63, 75), (64, 74), (97, 61), (45, 98), (93, 71)]
    items = [(size, size) for size in sizes]
    balance(predictor, variables, items[0])
    flips = ("horizontal", "vertical")
    exact = count(predictor, variables, items, predictor.bucket_of, 1, flips)
    predictor.plan(variables, collections.Counter(items))
    assert all(predictor.bucket_of(item).padded for item in items)
    padded = count(predictor, variables, items, predictor.bucket_of, 2, flips)
    assert (exact.sum(0) > 0).sum() >= 4
    np.testing.assert_array_equal(padded, exact)


def test_what_a_model_does_not_take_padded_runs_alone(caplog):
    """Half of 30 is 15, doubled 30; half of 29 is 14: not a size for this model."""
    predictor, variables = predictor_of("unet")
    items = [((side, 64), (side, 64)) for side in (32, 36, 40, 44, 48, 60, 61)]
    with caplog.at_level(logging.INFO, "jaxseg"):
        predictor.plan(variables, collections.Counter(items))
    assert not predictor.bucket_of(items[-1]).padded
    assert predictor.bucket_of(items[0]).padded
    assert "; 1 run alone, as the model does not take them padded" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(buckets=False), "sizes: model.test_cfg.buckets is False"),
        (dict(), "model.backbone (Derived) does not say that it takes padding"),
        (None, "sizes: the model has padding='same', which moves an image"),
    ],
    ids=["by config", "does not opt in", "no masked form"],
)
def test_why_images_run_at_their_own_sizes(change, message, caplog):
    class Derived(ResNet):
        pass

    predictor, variables = predictor_of(
        "unet" if change else "vit_upernet", mode="whole", **(change or {})
    )
    if change == {}:
        backbone = Derived(18, norm_cfg=predictor.model.decode_head.norm_cfg)
        predictor = Predictor(predictor.model.clone(backbone=backbone))
    elif change is None:
        backbone = predictor.model.backbone.clone(patch_pad="same")
        predictor = Predictor(predictor.model.clone(backbone=backbone))
    items = collections.Counter(items_for("unet"))
    with caplog.at_level(logging.INFO, "jaxseg"):
        predictor.plan(variables, items)
    assert message in caplog.text
    assert not any(predictor.bucket_of(item).padded for item in items)


def test_few_sizes_run_as_they_are(caplog):
    predictor, variables = predictor_of("unet")
    with caplog.at_level(logging.INFO, "jaxseg"):
        predictor.plan(variables, collections.Counter(items_for("unet")[:4]))
    assert not caplog.text
    assert not predictor.bucket_of(items_for("unet")[0]).padded


def test_buckets_hold_every_image_with_little_padding():
    rng = np.random.default_rng(0)
    sides = rng.integers(512, 1024, 300)
    sizes = [(512, s) if s % 3 else (s, 512) for s in sides.tolist()]
    items = collections.Counter((size, size) for size in sizes)
    buckets = plan_buckets(items, 5)
    assert len(buckets) <= 5
    padded = 0
    for item, number in items.items():
        bucket = next(b for b in buckets if b.holds(item))
        # The side that they share stays as it is; others are multiples of 8.
        assert all(side == 512 or side % 8 == 0 for side in bucket.images[0])
        padded += number * bucket.area
    own = sum(height * width for height, width in sizes)
    # Ten equal steps would leave 5 %, but portraits are apart from landscapes.
    assert padded < 1.15 * own

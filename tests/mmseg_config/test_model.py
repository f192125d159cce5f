import functools

import jax
import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.model import translate_model
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import resolve
from jaxseg.segmentors.init_variables import init_variables

NORM = dict(type="SyncBN", requires_grad=True)
PREPROCESSOR = dict(
    type="SegDataPreProcessor",
    mean=[1.0, 2.0, 3.0],
    std=[4.0, 5.0, 6.0],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size=(64, 64),
)
NORMALIZE = dict(type="Normalize", mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0])


def fcn(**changes):
    head = dict(
        type="FCNHead",
        in_channels=512,
        in_index=3,
        channels=8,
        num_convs=1,
        num_classes=2,
        norm_cfg=NORM,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
    )
    backbone = dict(type="ResNetV1c", depth=18, norm_cfg=NORM, style="pytorch")
    model = dict(type="EncoderDecoder", backbone=backbone, decode_head=head)
    return model | dict(train_cfg=dict(), test_cfg=dict(mode="whole")) | changes


def v1(model=None, preprocessor=PREPROCESSOR, **others):
    model = fcn() if model is None else model
    model = dict(model, data_preprocessor=preprocessor)
    return dict(default_scope="mmseg", model=model, **others)


def v0(model=None, train=(), test=(), **others):
    data = dict(train=dict(pipeline=list(train)))
    if test:
        aug = dict(type="MultiScaleFlipAug", transforms=list(test))
        data["test"] = dict(pipeline=[dict(type="LoadImageFromFile"), aug])
    return dict(model=fcn() if model is None else model, data=data, **others)


def translated(raw):
    report = Report()
    return translate_model(raw, report), report


def head_of(**changes):
    return fcn(decode_head=fcn()["decode_head"] | changes)


def backbone_of(**changes):
    return fcn(backbone=fcn()["backbone"] | changes)


@pytest.mark.parametrize("line", ["0.x", "1.x"])
def test_a_whole_model_is_built(line):
    crop = [dict(type="RandomCrop", crop_size=(64, 64)), NORMALIZE]
    model, report = translated(v1() if line == "1.x" else v0(train=crop))
    assert report == Report()
    segmentor = resolve(model, "model")
    assert segmentor.data_preprocessor == resolve(PREPROCESSOR, "")
    shapes = jax.eval_shape(
        functools.partial(init_variables, segmentor, 0, 3, (64, 64))
    )
    assert shapes["params"]["decode_head"]["conv_seg"]["kernel"].shape == (1, 1, 8, 2)


def test_the_config_is_left_as_it_was():
    raw = v1(backbone_of(init_cfg=dict(type="Pretrained", checkpoint="x.pth")))
    before = repr(raw)
    translated(raw)
    assert repr(raw) == before


def test_all_that_is_missing_is_named():
    model = fcn(
        type="NoSegmentor",
        backbone=dict(type="NoNet", norm_cfg=dict(type="NoNorm")),
        neck=dict(type="other.NoNeck"),
        auxiliary_head=[
            fcn()["decode_head"],
            dict(fcn()["decode_head"], loss_decode=[dict(type="NoLoss")]),
        ],
    )
    ours, report = translated(v1(model))
    assert report.missing == [
        ("model", "NoSegmentor"),
        ("model.backbone", "NoNet"),
        ("model.backbone.norm_cfg", "NoNorm"),
        ("model.neck", "other.NoNeck"),
        ("model.auxiliary_head.1.loss_decode.0", "NoLoss"),
    ]
    assert ours["backbone"]["type"] == "NoNet"


def test_the_scope_of_mmsegs_own_types_is_taken_off():
    ours, report = translated(v1(backbone_of(type="mmseg.ResNetV1c")))
    assert ours["backbone"]["type"] == "ResNetV1c"
    assert report.missing == []


def test_a_type_that_is_no_name():
    with pytest.raises(
        ConfigError, match="model.backbone: expected a dict with a type"
    ):
        translated(v1(fcn(backbone=dict(type=None))))


def test_keys_that_ask_for_nothing_are_dropped_and_others_named():
    ours, report = translated(
        v1(
            backbone_of(
                type="UNet",
                dcn=None,
                conv_cfg=dict(type="Conv2d"),
                plugins=[dict(cfg=dict(position="after_conv1"))],
            )
        )
    )
    assert not {"dcn", "conv_cfg"} & ours["backbone"].keys()
    missing = dict(report.missing)
    assert missing["model.backbone.plugins"].startswith("UNet(plugins=[{'cfg'")


def test_the_options_of_a_resnet_are_its_own():
    options = dict(
        dcn=dict(type="DCNv2", deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=[False, False, True, True],
        conv_cfg=None,
        plugins=[
            dict(
                cfg=dict(type="ContextBlock", ratio=1.0 / 16),
                stages=[False, True, True, True],
                position="after_conv3",
            )
        ],
    )
    ours, report = translated(v1(backbone_of(**options)))
    assert report.missing == []
    assert {key: ours["backbone"][key] for key in options} == options


@pytest.mark.parametrize(
    "model",
    [
        fcn(pretrained="a.pth"),
        backbone_of(pretrained="a.pth"),
        backbone_of(init_cfg=dict(type="Pretrained", checkpoint="a.pth")),
        fcn(pretrained="a.pth", backbone=backbone_of(pretrained=None)["backbone"]),
    ],
    ids=["segmentor", "backbone", "init_cfg", "one of them None"],
)
def test_pretrained_in_its_places(model):
    ours, report = translated(v1(model))
    assert ours["pretrained"] == "a.pth"
    assert "pretrained" not in ours["backbone"] and "init_cfg" not in ours["backbone"]
    assert report == Report()
    assert resolve(ours, "model").pretrained == "a.pth"


def test_the_prefix_of_pretrained_weights_is_kept():
    # As in the four ResNet-50 configs with mmpretrain's rsb weights.
    start = dict(type="Pretrained", checkpoint="a.pth", prefix="backbone.")
    ours, report = translated(v1(backbone_of(init_cfg=start)))
    assert ours["pretrained"] == dict(checkpoint="a.pth", prefix="backbone.")
    assert report == Report()
    assert dict(resolve(ours, "model").pretrained) == ours["pretrained"]


def test_pretrained_twice_is_noted():
    # As in six configs of mmseg 0.30: training refuses them, inference does not.
    model = backbone_of(init_cfg=dict(type="Pretrained", checkpoint="mine.pth"))
    ours, report = translated(v1(dict(model, pretrained="base.pth")))
    assert ours["pretrained"] == "mine.pth"
    assert "model.pretrained and model.backbone.init_cfg both" in report.notes[0]


@pytest.mark.parametrize(
    ("start", "noted"),
    [
        (dict(type="Normal", std=0.01, override=dict(name="conv_seg")), False),
        (dict(type="Xavier"), True),
    ],
)
def test_other_starting_values_are_noted_unless_they_are_ours(start, noted):
    ours, report = translated(v1(head_of(init_cfg=start)))
    assert "init_cfg" not in ours["decode_head"]
    assert [note.partition(":")[0] for note in report.notes] == (
        ["model.decode_head.init_cfg"] if noted else []
    )


def test_parts_other_than_the_backbone_keep_their_starting_weights():
    start = dict(type="Pretrained", checkpoint="a.pth", prefix="decode_head.")
    ours, report = translated(v1(head_of(init_cfg={**start, "map_location": "cpu"})))
    assert ours["decode_head"]["init_cfg"] == start
    assert "pretrained" not in ours and report.notes == []


VIT = dict(type="VisionTransformer", img_size=(64, 64), norm_cfg=dict(type="LN"))


@pytest.mark.parametrize(
    ("make", "patch_bias", "dice", "weighted_mean"),
    [
        # Inventory of the two lines: the patch projection of 0.x has a bias, its Dice
        # loss is softmax a class, its class weights do not enter the divisor.
        (v0, True, "DiceLossV0", False),
        (v1, None, "DiceLoss", None),
    ],
    ids=["0.x", "1.x"],
)
def test_what_the_lines_mean_by_one_name(make, patch_bias, dice, weighted_mean):
    losses = [
        dict(type="CrossEntropyLoss", class_weight=[1.0, 2.0]),
        dict(type="CrossEntropyLoss"),
        dict(type="DiceLoss", loss_weight=3.0, loss_name="loss_dice"),
    ]
    model = head_of(loss_decode=losses)
    ours, report = translated(make(dict(model, backbone=VIT)))
    assert report.missing == []
    assert ours["backbone"].get("patch_bias") is patch_bias
    weighted, plain, last = ours["decode_head"]["loss_decode"]
    assert weighted.get("weighted_mean") is weighted_mean
    assert plain == dict(type="CrossEntropyLoss")
    assert last == dict(type=dice, loss_weight=3.0, loss_name="loss_dice")


def test_a_binary_head_keeps_its_channel_and_threshold():
    loss = dict(type="CrossEntropyLoss", use_sigmoid=True)
    head = head_of(out_channels=1, threshold=0.2, loss_decode=loss)
    ours, _ = translated(v1(head))
    head = resolve(ours, "model").decode_head
    assert (head.num_classes, head.out_channels, head.threshold) == (2, 1, 0.2)


def test_train_and_test_cfg_beside_the_model():
    model = fcn()
    del model["train_cfg"], model["test_cfg"]
    slide = dict(mode="slide", crop_size=(32, 32), stride=21)
    raw = v0(model, train_cfg=dict(), test_cfg=slide, total_iters=10)
    ours, report = translated(raw)
    assert ours["test_cfg"] == dict(mode="slide", crop_size=[32, 32], stride=[21, 21])
    assert report.missing == []
    # In 1.x those at the top are of the loops, and the model's own count alone.
    ours, _ = translated(v1(model, test_cfg=dict(type="TestLoop")))
    assert ours["test_cfg"] == dict(mode="whole")


def test_what_whole_images_do_not_need_is_dropped():
    ours, _ = translated(v1(fcn(test_cfg=dict(mode="whole", crop_size=256))))
    assert ours["test_cfg"] == dict(mode="whole")


def test_an_unknown_mode_is_missing():
    _, report = translated(v1(fcn(test_cfg=dict(mode="other"))))
    assert report.missing == [("model.test_cfg.mode", "mode='other'")]


@pytest.mark.parametrize("raw", [{}, dict(model=None), dict(model="fcn")])
def test_a_file_without_a_model(raw):
    with pytest.raises(ConfigError, match="model is missing"):
        translated(raw)


# MARK: data_preprocessor


def preprocessor(raw):
    ours, report = translated(raw)
    return ours["data_preprocessor"], report


def test_of_two_preprocessors_the_models_is_used():
    other = dict(PREPROCESSOR, size=(32, 32))
    ours, report = preprocessor(v1(data_preprocessor=other))
    assert ours["size"] == [64, 64]
    assert [note.partition(":")[0] for note in report.notes] == ["data_preprocessor"]
    assert preprocessor(v1(data_preprocessor=PREPROCESSOR))[1] == Report()


def test_both_names_turn_the_channels():
    turned = dict(PREPROCESSOR, bgr_to_rgb=False, rgb_to_bgr=True)
    assert preprocessor(v1(preprocessor=turned))[0]["bgr_to_rgb"] is True
    kept = dict(PREPROCESSOR, bgr_to_rgb=False)
    assert preprocessor(v1(preprocessor=kept))[0]["bgr_to_rgb"] is False


def test_without_a_size_there_is_a_note():
    ours, report = preprocessor(v1(preprocessor=dict(PREPROCESSOR, size=None)))
    assert ours["size"] is None
    assert "has no size" in report.notes[0] and report.missing == []


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        (dict(size=None, size_divisor=32), "size_divisor=32 without a RandomCrop"),
        (dict(batch_augments=[dict(type="X")]), "batch_augments=[{'type': 'X'}]"),
        (dict(type="OtherPreProcessor"), "OtherPreProcessor"),
    ],
)
def test_other_padding_is_missing(changes, missing):
    _, report = preprocessor(v1(preprocessor=PREPROCESSOR | changes))
    assert [name for _, name in report.missing] == [missing]


CROP = dict(type="RandomCrop", crop_size=(64, 64))


@pytest.mark.parametrize(
    ("pipeline", "size"),
    [
        ([CROP, NORMALIZE, dict(type="Pad", size=(96, 80))], [96, 80]),
        ([CROP, NORMALIZE], [64, 64]),
        ([dict(type="Pad", size=(96, 80)), CROP, NORMALIZE], [64, 64]),
        ([CROP, dict(type="Resize", img_scale=(9, 9)), NORMALIZE], None),
        ([NORMALIZE], None),
    ],
    ids=["pad", "crop", "pad before crop", "resized", "neither"],
)
def test_the_size_of_training_samples_of_0x(pipeline, size):
    assert preprocessor(v0(train=pipeline))[0]["size"] == size


def test_padding_of_0x_behind_normalisation():
    pad = dict(type="Pad", size=(96, 80), pad_val=7, seg_pad_val=254)
    ours, _ = preprocessor(v0(train=[CROP, NORMALIZE, pad]))
    assert (ours["pad_val"], ours["seg_pad_val"]) == (7, 254)
    # Before it, Pad stays in the pipeline, and pads with pixels.
    ours, _ = preprocessor(v0(train=[CROP, pad, NORMALIZE]))
    assert "pad_val" not in ours and ours["size"] == [96, 80]


def test_normalisation_of_0x():
    ours, _ = preprocessor(v0(train=[dict(NORMALIZE, to_rgb=False)]))
    assert (ours["mean"], ours["bgr_to_rgb"]) == ([1.0, 2.0, 3.0], False)
    assert preprocessor(v0(train=[NORMALIZE]))[0]["bgr_to_rgb"] is True
    assert "mean" not in preprocessor(v0(train=[CROP]))[0]


def test_normalisation_of_0x_must_be_one():
    other = dict(NORMALIZE, mean=[0.0, 0.0, 0.0])
    _, report = preprocessor(v0(train=[NORMALIZE], test=[other]))
    assert report.missing == [
        ("model.data_preprocessor", "another Normalize in another pipeline")
    ]
    assert preprocessor(v0(train=[NORMALIZE], test=[NORMALIZE]))[1] == Report()
    # The data of the test may not have another one, which `--mode test` alone needs.
    raw = v0(train=[NORMALIZE], test=[other])
    raw["data"]["val"] = dict(pipeline=[NORMALIZE])
    ((path, name),) = preprocessor(raw)[1].missing
    assert path == "test_dataloader" and name.startswith("another Normalize or Pad")


def test_padding_to_a_multiple():
    pad = dict(type="Pad", size_divisor=32)
    ours, report = preprocessor(v0(train=[NORMALIZE], test=[NORMALIZE, pad]))
    assert ours["test_cfg"] == dict(size_divisor=32) and report.missing == []
    _, report = preprocessor(v0(train=[NORMALIZE, pad]))
    assert report.missing == [
        ("model.data_preprocessor", "Pad(size_divisor) in the training pipeline")
    ]
    given = dict(PREPROCESSOR, size=None, size_divisor=96, test_cfg={"size": (8, 9)})
    raw = v1(preprocessor=given)
    raw["train_dataloader"] = dict(dataset=dict(pipeline=[CROP]))
    ours, report = preprocessor(raw)
    assert (ours["size"], ours["test_cfg"]) == ([96, 96], {"size": [8, 9]})
    assert report == Report()
    raw["model"]["data_preprocessor"]["size_divisor"] = 32
    ours, report = preprocessor(raw)
    assert ours["size"] == [64, 64] and "the crop's multiple" in report.notes[0]


def test_pipelines_of_0x_are_found_inside_other_data_sets():
    inner = dict(type="X", pipeline=[CROP])
    outer = dict(type="MultiImageMixDataset", dataset=inner, pipeline=[NORMALIZE])
    raw = v0()
    raw["data"]["train"] = [dict(type="RepeatDataset", times=2, dataset=outer)]
    ours, _ = preprocessor(raw)
    assert (ours["mean"], ours["size"]) == ([1.0, 2.0, 3.0], [64, 64])


def test_what_only_training_and_only_testing_do():
    report = Report()
    raw = dict(
        model=dict(
            type="EncoderDecoder",
            train_cfg=dict(sampler="OHEM"),
            test_cfg=dict(mode="whole", crop_size=256, stride=170, points=5),
        )
    )
    model = translate_model(raw, report)
    assert model["test_cfg"] == dict(mode="whole") and "train_cfg" not in model
    notes = report.all_notes()
    assert "model.train_cfg.sampler='OHEM': not used" in notes
    assert "model.test_cfg.points=5: not used" in notes
    assert any(n.endswith("why): test_cfg.crop_size, test_cfg.stride") for n in notes)


def test_channels_that_are_not_turned_round():
    preprocessor = dict(type="SegDataPreProcessor", size=(64, 64), bgr_to_rgb=None)
    raw = dict(model=dict(type="EncoderDecoder", data_preprocessor=preprocessor))
    model = translate_model(raw, Report())
    assert model["data_preprocessor"]["bgr_to_rgb"] is False


def test_what_a_head_reads_of_train_cfg_and_test_cfg():
    first = dict(type="FCNHead", in_channels=8, channels=8, num_classes=4)
    point = dict(type="mmseg.PointHead", in_channels=[8], in_index=[0], channels=8)
    model = dict(
        type="CascadeEncoderDecoder",
        num_stages=2,
        backbone=dict(type="ResNetV1c", depth=18),
        decode_head=[first, point | dict(num_classes=4)],
        train_cfg=dict(num_points=64, oversample_ratio=3, sampler="OHEM"),
        test_cfg=dict(mode="whole", subdivision_steps=3),
    )
    report = Report()
    ours = translate_model(dict(model=model), report)
    head = resolve(ours, "model").decode_head[1]
    assert (head.num_points, head.oversample_ratio, head.subdivision_steps) == (
        64,
        3,
        3,
    )
    assert ours["test_cfg"] == dict(mode="whole")
    # A field that a head has under a name of train_cfg by chance is none of those.
    assert "model.train_cfg.sampler='OHEM': not used" in report.all_notes()

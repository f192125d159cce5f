import pytest

from jaxseg.config import ConfigError, load
from jaxseg.mmseg_config.translate import Translation, gpus_of, translate

MISSING = [
    ("model.backbone", "NoNet"),
    ("model.decode_head", "NoHead"),
    ("val_dataloader.dataset", "NoDataset"),
    ("val_dataloader.dataset.pipeline.1", "NoTransform"),
]


def raw(**changes):
    dataset = dict(
        type="BaseSegDataset",
        data_root="data",
        data_prefix=dict(img_path="img", seg_map_path="ann"),
        pipeline=[
            dict(type="LoadImageFromFile"),
            dict(type="LoadAnnotations"),
            dict(type="PackSegInputs"),
        ],
    )
    config = dict(
        default_scope="mmseg",
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=dict(type="SegDataPreProcessor", size=(64, 64)),
            backbone=dict(type="UNet"),
            decode_head=dict(
                type="FCNHead", in_channels=64, in_index=4, channels=8, num_classes=2
            ),
        ),
        train_dataloader=dict(batch_size=2, num_workers=2, dataset=dataset),
        val_dataloader=dict(batch_size=1, num_workers=2, dataset=dataset),
        val_evaluator=dict(type="IoUMetric", iou_metrics=["mIoU"]),
        optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1)),
        train_cfg=dict(type="IterBasedTrainLoop", max_iters=10, val_interval=10),
    )
    return config | changes


def test_a_whole_config():
    translation = translate(raw(), "unet_4xb2-10_x.py")
    assert translation.missing == [] and translation.notes == []
    translation.require()
    config = translation.config
    assert load(config) == config  # JSON's types, and known keys alone
    assert config.keys() == {
        "model",
        "train_dataloader",
        "val_dataloader",
        "val_evaluator",
        "optim_wrapper",
        "train_cfg",
        "default_hooks",
    }


def test_the_batch_is_that_of_all_gpus():
    translation = translate(raw(), "folder/unet_4xb2-10_x.py")
    assert translation.config["train_dataloader"]["batch_size"] == 8
    assert translation.config["val_dataloader"]["batch_size"] == 1
    translation = translate(raw(), "unet.py")
    assert translation.config["train_dataloader"]["batch_size"] == 2
    assert len(translation.notes) == 1
    assert "--config.train_dataloader.batch_size=N" in translation.notes[0]


@pytest.mark.parametrize(
    ("name", "gpus"),
    [
        ("fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py", 4),
        ("a/b/beit-large_upernet_8xb1-amp-160k_ade20k-640x640.py", 8),
        ("swin_1xb8-20k_levir-256x256.py", 1),
        ("unet_s5-d16_4x4_512x1024_160k_cityscapes.py", 4),
        ("pspnet_r50-d8_512x512_4x4_40k_coco-stuff10k.py", 4),
        ("unet_8x2_64x64_40k_drive.py", 8),
        ("fcn_r50-d8_512x1024_40k_cityscapes.py", None),
        ("unet_64x64_40k_drive.py", None),
        ("setr_mla_512x512_160k_b16_ade20k.py", None),
        ("my_config.py", None),
    ],
)
def test_gpus_in_the_names_of_both_lines(name, gpus):
    assert gpus_of(name) == gpus


def test_everything_is_read_before_anything_is_refused():
    config = raw(
        model=dict(raw()["model"], backbone=dict(type="NoNet")),
        optim_wrapper=dict(optimizer=dict(type="NoOptimizer")),
    )
    config["val_dataloader"]["dataset"] = dict(
        type="NoDataset", pipeline=[dict(type="LoadImageFromFile")]
    )
    with pytest.raises(ConfigError) as error:
        translate(config, "x_4xb2-1.py").require()
    assert str(error.value) == (
        "x_4xb2-1.py cannot be used:\n"
        "  model.backbone: NoNet is not in jaxseg yet\n"
        "  val_dataloader.dataset: NoDataset is not in jaxseg yet\n"
        "  optim_wrapper.optimizer: NoOptimizer is not in jaxseg yet"
    )


def test_what_is_left_out_has_its_reason():
    config = raw()
    config["val_dataloader"]["dataset"] = dict(type="DSDLSegDataset", pipeline=[])
    message = r"val_dataloader.dataset: DSDLSegDataset is left out: it reads .* DSDL by"
    with pytest.raises(ConfigError, match=message):
        translate(config, "x_4xb2-1.py").require()


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        (None, {"NoNet", "NoHead", "NoDataset", "NoTransform"}),
        (("model",), {"NoNet", "NoHead"}),
        (
            ("model.backbone", "val_dataloader.dataset.pipeline"),
            {"NoNet", "NoTransform"},
        ),
        (("val_dataloader",), {"NoDataset", "NoTransform"}),
        (("mod", "train_dataloader"), set()),
    ],
)
def test_parts(parts, named):
    translation = Translation(config={}, missing=MISSING, notes=[], source="x.py")
    if not named:
        translation.require(parts)
        return
    with pytest.raises(ConfigError) as error:
        translation.require(parts)
    lines = str(error.value).split("\n")[1:]
    assert {line.split()[1] for line in lines} == named

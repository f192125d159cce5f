"""What is refused of a validation before any step."""

import functools
import types

import cv2
import numpy as np
import pytest

from input_pipeline.datasets import (
    BaseSegDataset,
    ConcatDataset,
    PackedDataset,
    RepeatDataset,
)
from input_pipeline.packing.write import pack
from input_pipeline.scan import scan
from input_pipeline.transforms import (
    LoadAnnotations,
    LoadImageFromFile,
    PackSegInputs,
    Pad,
    PhotoMetricDistortion,
    RandomChoiceResize,
    RandomCrop,
    RandomFlip,
    RandomResize,
    Resize,
    ResizeShortestEdge,
    ResizeToMultiple,
)
from input_pipeline.transforms.transform import Transform
from jaxseg.config import ConfigError
from jaxseg.errors import ModelSizeError
from jaxseg.evaluation.checks import (
    check_classes,
    check_ignored,
    check_model_sizes,
    check_sides,
    check_targets,
    check_test_pipeline,
)
from jaxseg.segmentors import phases
from jaxseg.segmentors.preprocess import SegDataPreProcessor
from jaxseg.settings import tta as tta_settings
from tests.evaluation.scenes import Scenes

LOAD, LABEL, PACK = LoadImageFromFile(), LoadAnnotations(), PackSegInputs()
RESIZE = Resize(scale=(48, 32), keep_ratio=True)
PATH = "val_dataloader.dataset"


@pytest.fixture
def images(tmp_path):
    """(pipeline, sizes) -> a data set of blank images of these (height, width)."""

    def make(pipeline, sizes=((64, 96),), name="a"):
        for i, size in enumerate(sizes):
            for kind in ("img", "ann"):
                (tmp_path / name / kind).mkdir(parents=True, exist_ok=True)
                path = tmp_path / name / kind / f"{i}.png"
                cv2.imwrite(str(path), np.zeros(size, np.uint8))
        return BaseSegDataset(
            str(tmp_path / name),
            {"img_path": "img", "seg_map_path": "ann"},
            metainfo={"classes": ("a", "b")},
            img_suffix=".png",
            pipeline=tuple(pipeline),
        )

    return make


class Halves:
    """A model that takes even sides only."""

    test_cfg = phases.TestCfg()
    data_preprocessor = SegDataPreProcessor(mean=(0.0,), std=(1.0,))

    def check_size(self, size):
        if size[0] % 2 or size[1] % 2:
            raise ModelSizeError(f"{size[0]} x {size[1]} is not even")


def test_labels_of_the_original_size_are_what_is_scored(images):
    class Mine(Transform):
        pass

    for pipeline in (
        [LOAD, RESIZE, LABEL, PACK],
        [LOAD, LABEL, PACK],
        [LOAD, RESIZE, ResizeToMultiple(32), LABEL, PhotoMetricDistortion(), PACK],
        [LOAD, RESIZE, LABEL, lambda results, rng: results, PACK],
    ):
        check_test_pipeline(images(pipeline), PATH)
    for step, message in (
        (RESIZE, r"Resize \(transform 2 of the pipeline\) changes the size of the lab"),
        (Pad(size_divisor=32), "Pad .* put it before LoadAnnotations$"),
        (RandomCrop(8), "RandomCrop .* original size"),
        (Mine(), "Mine .* set changes_size = False and moves_pixels = False in the"),
    ):
        dataset = ConcatDataset((images([LOAD, LABEL]), images([LOAD, LABEL, step])))
        with pytest.raises(ConfigError, match=f"^{PATH}: {message}"):
            check_test_pipeline(dataset, PATH)


@pytest.mark.parametrize("step", [Pad(size_divisor=32), RandomCrop(8), RandomFlip(0.5)])
def test_an_image_does_not_move_away_from_its_label(images, step):
    message = (
        f"{type(step).__name__} .* before LoadAnnotations reads a label that stays"
    )
    with pytest.raises(ConfigError, match=message):
        check_test_pipeline(images([LOAD, step, LABEL, PACK]), PATH)


@pytest.mark.parametrize(
    ("step", "size", "found"),
    [
        (Resize(scale=(96, 64), keep_ratio=True), (1, 400), "0x96 .* is 1x400"),
        (Resize(scale_factor=0.25), (1, 64), "0x16"),
        (RandomResize((64, 32), (0.5, 2.0), keep_ratio=True), (2, 150), "0x32"),
        (RandomResize(((64, 32), (9, 1)), keep_ratio=True), (3, 60), "0x9"),
        (RandomChoiceResize((640, 3), keep_ratio=True), (4, 60), "0x3"),
        (ResizeShortestEdge(32, max_size=40), (2, 200), "0x0"),
    ],
)
def test_sides_that_may_become_zero(images, step, size, found):
    dataset = images([LOAD, LABEL, step, PACK], [(64, 96), size])
    size_of = scan(dataset).size_of
    message = f"{type(step).__name__} in the pipeline may make {found}.*1 or more"
    with pytest.raises(ConfigError, match=message) as caught:
        check_sides(RepeatDataset(dataset, 2), size_of, "train_dataloader.dataset")
    assert "1.png" in str(caught.value)
    # What the transform itself says, where no header told it before.
    smallest = types.SimpleNamespace(
        random=lambda: 0.0,
        integers=lambda low, high=None: low if high else 1,
    )
    with pytest.raises(ValueError, match=r"each side must be 1 or more"):
        step({"img": np.zeros((*size, 3), np.uint8), "img_path": "1.png"}, smallest)


def test_sides_that_stay(images):
    sizes = [(64, 96), (1, 400)]
    steps = [RandomCrop(8), Pad(size=(32, 32)), RandomResize((64, 32), (0.5, 2.0))]
    dataset = images([LOAD, LABEL, *steps, PACK], sizes)
    check_sides(dataset, scan(dataset).size_of, PATH)
    unknown = images([LOAD, LABEL, lambda results, rng: results, RESIZE], sizes)
    check_sides(unknown, scan(unknown).size_of, PATH)


def test_sizes_that_the_model_does_not_take(images):
    sizes = [(64, 96), (63, 95), (70, 81)]

    def ask(*steps, model=None, tta=None):
        dataset = images([LOAD, *steps, LABEL, PACK], sizes)
        found = scan(dataset).size_of
        check_model_sizes(model or Halves(), dataset, found, tta, PATH)

    message = r"images of 2 of their 3 sizes, such as .*1.png: 63 x 95 is not even"
    with pytest.raises(ConfigError, match=message):
        ask()
    ask(ResizeToMultiple(2))
    ask(Resize(scale=(48, 32)))
    with pytest.raises(ConfigError, match="1.png|0.png"):
        ask(ResizeToMultiple(2), tta=tta_settings.TestTimeAug(img_ratios=(0.33,)))
    with pytest.raises(ConfigError, match="tta scales an image of 64x96 to 0x0"):
        ask(tta=tta_settings.TestTimeAug(img_ratios=(0.0075,)))
    # Windows are of the size that the config gives; a small image is its own window.
    windows = Halves()
    windows.test_cfg = phases.TestCfg("slide", (32, 32), (16, 16))
    ask(model=windows)
    windows.test_cfg = phases.TestCfg("slide", (66, 66), (16, 16))
    with pytest.raises(ConfigError, match="1 of their 3 sizes, .*63 x 66"):
        ask(model=windows)


def test_sizes_in_a_cache_are_looked_at_as_those_of_files(images, tmp_path):
    steps = (LOAD, LABEL, PACK)
    pack(images(steps, [(64, 96), (63, 95)]), tmp_path / "packed")
    packed = PackedDataset(str(tmp_path / "packed"), pipeline=steps)
    assert set(packed.known_sizes().values()) == {(64, 96), (63, 95)}
    with pytest.raises(ConfigError, match="1 of their 2 sizes, .*1.png: 63 x 95"):
        check_model_sizes(Halves(), packed, {}, None, PATH)
    thin = Resize(scale_factor=0.001)
    packed = PackedDataset(str(tmp_path / "packed"), pipeline=(LOAD, thin))
    with pytest.raises(ConfigError, match="may make 0x0 .* of .*0.png"):
        check_sides(packed, {}, PATH)


def test_samples_that_lack_what_a_loss_reads():
    model = types.SimpleNamespace(target_keys=("gt_seg_map", "gt_edge_map"))
    path = "train_dataloader.dataset"
    check_targets(model, {"gt_seg_map": 0, "gt_edge_map": 0}, path)
    message = f"{path}: .* no gt_edge_map, .* need: put GenerateEdge into the pipeline"
    with pytest.raises(ConfigError, match=message):
        check_targets(model, {"gt_seg_map": 0}, path)
    model.target_keys = ("gt_normal_map",)
    with pytest.raises(ConfigError, match="no gt_normal_map, which .* need$"):
        check_targets(model, {"gt_seg_map": 0}, path)


def test_heads_and_data_set_must_agree():
    def model(classes=6, ignore_index=255, aux=()):
        head = functools.partial(types.SimpleNamespace, has_own_classes=False)
        return types.SimpleNamespace(
            target_keys=("gt_seg_map",),
            data_preprocessor=SegDataPreProcessor(),
            heads={
                "decode_head": head(num_classes=classes, ignore_index=ignore_index),
                **{
                    f"auxiliary_head.{i}": head(num_classes=n, ignore_index=255)
                    for i, n in enumerate(aux)
                },
            },
        )

    dataset, path = Scenes(), "val_dataloader.dataset"
    check_classes(model(aux=(6,)), dataset, path)
    message = "model.decode_head.num_classes is 7, but val_dataloader.dataset has 6 cl"
    with pytest.raises(ConfigError, match=message + r"asses: a, b, c, d, e, \.\.\."):
        check_classes(model(7), dataset, path)
    with pytest.raises(ConfigError, match=r"model.auxiliary_head.1.num_classes is 3"):
        check_classes(model(aux=(6, 3)), dataset, path)
    edges = model(aux=(6, 2))
    edges.heads["auxiliary_head.1"].has_own_classes = True
    check_classes(edges, dataset, path)
    with pytest.raises(ConfigError, match="ignore_index is 0, that of val.* is 255"):
        check_ignored(model(ignore_index=0), dataset, path)
    alone = types.SimpleNamespace(metainfo={"classes": ["road"]}, ignore_index=255)
    message = "val_dataloader.dataset has one class alone, 'road': every pixel that"
    with pytest.raises(ConfigError, match=message):
        check_classes(model(1), alone, path)

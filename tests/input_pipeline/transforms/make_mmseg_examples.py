"""Makes mmseg_examples.npz: what MMSegmentation's own transforms make of one picture.

    python tests/input_pipeline/transforms/make_mmseg_examples.py --v0 DIR

in an environment with mmsegmentation 1.2.2, mmcv 2.1.0, mmengine 0.10.7, torch 2.13 and
OpenCV 5.0.0. DIR is the folder `mmseg` of mmsegmentation 0.30.0, of which one file,
the transforms, is run; the image functions under it are mmcv 2.1.0's as well.
(mmcv-lite lacks `mmcv._ext`, which mmseg imports: an empty module does, no transform
calls it.)

The file holds the picture `img` (RGB) and its `label`; `every_id`, a label with all ids
of a byte; for each example `NAME.img` (RGB) and `NAME.label`, what came out; and
`examples`, JSON of {name: example}, where an example is
    config    the transforms, as an mmseg config writes them
    v0        whether they are 0.30.0's
    size      (h, w) of the upper left part of the picture that went in
    source    of those that load files: the label in the file
    facts     of the same: reduce_zero_label of the data set, and label_map, in pairs
    draws     [kind, arguments, value] of every draw of a random number, in order
"""

import argparse
import contextlib
import importlib.util
import json
import pathlib
import sys
import tempfile
import types

import cv2
import mmcv
import mmengine
import numpy as np
from mmseg.registry import TRANSFORMS
from mmseg.utils import register_all_modules
from PIL import Image

HERE = pathlib.Path(__file__).parent
WHOLE = (47, 63)
TALL = (47, 30)
WIDE = (17, 63)
SMALL = (37, 41)
TINY = (19, 25)


def make_picture():
    """A smooth picture with some noise, and a label with 255: (47, 63)."""
    rng = np.random.default_rng(0)
    y, x = np.indices(WHOLE)
    waves = [np.sin(x / 9) + np.cos(y / 7), np.sin((x + y) / 11), np.cos(x * y / 400)]
    smooth = 128 + 95 * np.stack([waves[0] / 2, waves[1], waves[2]], axis=-1)
    img = np.clip(smooth + rng.integers(-3, 4, smooth.shape), 0, 255).astype(np.uint8)
    label = np.zeros(WHOLE, np.uint8)
    label[30:, :50] = 1
    label[5:18, 30:60] = 2
    label[(y - 40) ** 2 + (x - 52) ** 2 < 150] = 3
    label[:, 59:] = label[:3] = 255
    return img, label


# MARK: the examples


def resizes():
    """(name, transform, size) of what is not random."""
    choices = {
        "scale": {"scale": (64, 40)},
        "scale_up": {"scale": (83, 61)},
        "scale_down": {"scale": (23, 19)},
        "scale_int": {"scale": 33},
        "scale_kept": {"scale": (96, 48), "keep_ratio": True},
        "scale_kept_down": {"scale": (31, 40), "keep_ratio": True},
        "factor": {"scale_factor": 0.75},
        "factor_kept": {"scale_factor": 1.25, "keep_ratio": True},
        "factor_down": {"scale_factor": 0.37, "keep_ratio": True},
        "factors": {"scale_factor": (1.3, 0.6)},
        "nearest": {"scale": (45, 60), "interpolation": "nearest"},
        "bicubic": {"scale": (45, 60), "interpolation": "bicubic"},
        "area": {"scale": (30, 25), "interpolation": "area"},
        "lanczos": {"scale": (45, 60), "interpolation": "lanczos"},
    }
    for name, choice in choices.items():
        yield f"resize_{name}", {"type": "Resize", **choice}, WHOLE
    # 28x26 by the factor, of which the ratio is then kept: 27x26.
    yield "resize_factor_fitted", {"type": "Resize", **choices["factor_kept"]}, (22, 21)
    yield "resize_tall", {"type": "Resize", **choices["scale_kept"]}, TALL
    yield "resize_wide", {"type": "Resize", **choices["scale_kept"]}, WIDE

    edge = {"type": "ResizeShortestEdge", "scale": 32, "max_size": 60}
    for name, size in (("whole", WHOLE), ("tall", TALL), ("wide", WIDE)):
        yield f"shortest_edge_{name}", edge, size
    yield "shortest_edge_pair", {**edge, "scale": (70, 41), "max_size": 400}, WHOLE
    seven = {"size_divisor": 7, "interpolation": "nearest"}
    yield "multiple_7", {"type": "ResizeToMultiple", **seven}, WHOLE
    twenty = {"type": "ResizeToMultiple", "size_divisor": 20}
    yield "multiple_20", twenty, WHOLE
    yield "multiple_default", {"type": "ResizeToMultiple"}, TALL


def pads():
    """(name, transform, size)."""
    choices = {
        "size": {"size": (80, 60)},
        "size_of_one_side": {"size": (90, 40)},
        "divisor": {"size_divisor": 32},
        "value": {"size_divisor": 25, "pad_val": 7},
        "values": {"size": (75, 58), "pad_val": {"img": 9, "seg": 5}},
        "colour": {"size": (75, 58), "pad_val": {"img": (1, 2, 3)}},
    }
    for name, choice in choices.items():
        yield f"pad_{name}", {"type": "Pad", **choice}, WHOLE


def random_ones():
    """(name, transform, size, number of seeds) in the order of their draws."""
    boxed = {"type": "RandomResize", "scale": (90, 36), "keep_ratio": True}
    yield "ratio_kept", {**boxed, "ratio_range": (0.5, 2.0)}, WHOLE, 3
    yield "ratio", {**boxed, "ratio_range": (0.5, 2.0), "keep_ratio": False}, WHOLE, 3
    between = {"type": "RandomResize", "scale": [(80, 31), (45, 60)]}
    yield "between", between, WHOLE, 3
    yield "between_kept", {**between, "keep_ratio": True}, TALL, 2
    edges = {"scales": [20, 32, 47], "resize_type": "ResizeShortestEdge"}
    choice = {"type": "RandomChoiceResize", **edges, "max_size": 70}
    yield "choice_edge", choice, WHOLE, 4
    boxes = {"scales": [(40, 30), (70, 80), (64, 64)], "keep_ratio": True}
    yield "choice_box", {"type": "RandomChoiceResize", **boxes}, WHOLE, 3

    crop = {"type": "RandomCrop", "crop_size": (24, 32)}
    for ratio in (1.0, 0.75, 0.5):
        entry = {**crop, "cat_max_ratio": ratio}
        yield f"crop_{ratio}", entry, WHOLE, 5
    ignoring = {**crop, "cat_max_ratio": 0.6, "ignore_index": 1}
    yield "crop_ignoring", ignoring, WHOLE, 4
    # Class 0 and 255 alone there: every draw is refused, and the last one taken.
    one_class = {"type": "RandomCrop", "crop_size": 9, "cat_max_ratio": 0.75}
    yield "crop_one_class", one_class, (18, 25), 2
    yield "crop_of_nothing", {**one_class, "ignore_index": 0}, (18, 25), 2
    yield "crop_larger", {**crop, "crop_size": (60, 40)}, WHOLE, 2
    yield "crop_whole", {**crop, "crop_size": 80, "cat_max_ratio": 0.75}, WHOLE, 1

    three = ["horizontal", "vertical", "diagonal"]
    for direction in three:
        entry = {"type": "RandomFlip", "prob": 0.5, "direction": direction}
        yield f"flip_{direction}", entry, TINY, 4
    several = {"type": "RandomFlip", "prob": 0.6, "direction": three}
    yield "flip_several", several, TINY, 9
    each = {"prob": [0.3, 0.6], "direction": three[:2]}
    yield "flip_each", {"type": "RandomFlip", **each}, TINY, 6

    yield "colours", {"type": "PhotoMetricDistortion"}, SMALL, 16
    stronger = {
        "brightness_delta": 90,
        "contrast_range": (0.2, 2.5),
        "saturation_range": (0.0, 3.0),
        "hue_delta": 80,
    }
    yield "colours_more", {"type": "PhotoMetricDistortion", **stronger}, SMALL, 4

    rotations = {
        "": {"degree": 40.0},
        "_skewed": {"degree": (15, 170), "seg_pad_val": 9},
        "_center": {"degree": 40.0, "center": (10, 20)},
        "_grown": {"degree": 40.0, "auto_bound": True},
    }
    for name, choice in rotations.items():
        entry = {"type": "RandomRotate", "prob": 0.5, **choice}
        yield f"rotate{name}", entry, SMALL, 3


def intensities():
    """(name, transforms, size): what changes the values of pixels."""
    gray = {"type": "RGB2Gray"}
    yield "gray", [gray], TINY
    yield "gray_one_channel", [{**gray, "out_channels": 1}], TINY
    yield "gray_of_weights", [{**gray, "weights": (0.7, 0.25, 0.5)}], TINY
    yield "rerange", [{"type": "Rerange"}], TINY
    yield "rerange_to", [{"type": "Rerange", "min_value": -1, "max_value": 2.5}], TINY
    clahe, gamma = {"type": "CLAHE"}, {"type": "AdjustGamma"}
    yield "clahe", [clahe], WHOLE
    fine = {**clahe, "clip_limit": 2.0, "tile_grid_size": (5, 3)}
    yield "clahe_fine", [fine], SMALL
    yield "gamma", [gamma], TINY
    yield "gamma_dark", [{**gamma, "gamma": 0.45}], TINY
    yield "gamma_bright", [{**gamma, "gamma": 2.2}], SMALL
    # As for pictures of the retina; the bytes of floats are wanted on the way.
    yield "gray_clahe_gamma", [gray, clahe, {**gamma, "gamma": 1.2}], TINY


def cut_outs():
    """(name, transform, size, number of seeds), of 1.x and of 0.x."""
    cut = {"type": "RandomCutOut", "prob": 0.7}
    shape = {"n_holes": 2, "cutout_shape": (9, 4), "fill_in": (10, 20, 30)}
    yield "cut_out_shape", {**cut, **shape}, TINY, 3
    shapes = {"cutout_shape": [(3, 8), (12, 2)], "seg_fill_in": 7}
    yield "cut_out_shapes", {**cut, "n_holes": (0, 4), **shapes}, TINY, 4
    ratios = {"cutout_ratio": [(0.3, 0.2), (0.1, 0.55)], "seg_fill_in": 255}
    yield "cut_out_ratios", {**cut, "n_holes": (1, 3), **ratios}, TINY, 3


def rotations_or_flips():
    """(name, transform, size, number of seeds) of RandomRotFlip."""
    entry = {"type": "RandomRotFlip"}
    yield "rotate_or_flip", entry, TINY, 5
    turns = {"rotate_prob": 0.0, "flip_prob": 1.0}
    yield "rotate_or_turn", {**entry, **turns}, TINY, 6
    skewed = {"rotate_prob": 1.0, "degree": (100, 15)}
    yield "rotate_or_flip_skewed", {**entry, **skewed}, TINY, 1
    yield "rotate_or_flip_number", {**entry, "rotate_prob": 0.7, "degree": 30}, TINY, 3


def label_files():
    """(name, reduce_zero_label, label_map) of labels that are read from a file."""
    yield "labels_as_they_are", False, None
    yield "labels_reduced", True, None
    # Each id is looked up once: 0 -> 1 does not go on to 1 -> 0.
    renumbered = {0: 1, 1: 0, 3: 255, 7: 8, 8: 7, 255: 4}
    yield "labels_mapped", False, renumbered
    yield "labels_reduced_and_mapped", True, renumbered


def training_pipelines():
    """(name, transforms, reduce_zero_label): ADE20K's and Pascal VOC's, made small."""
    load = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}]
    colours, pack = {"type": "PhotoMetricDistortion"}, {"type": "PackSegInputs"}
    resize = {"type": "RandomResize", "scale": (100, 36), "keep_ratio": True}
    change = [
        {**resize, "ratio_range": (0.5, 2.0)},
        {"type": "RandomCrop", "crop_size": (32, 40), "cat_max_ratio": 0.75},
        {"type": "RandomFlip", "prob": 0.5},
    ]
    yield "pipeline_reduced", [*load, *change, colours, pack], True
    padded = {"type": "Pad", "size": (40, 32)}
    yield "pipeline_padded", [*load, *change, colours, padded, pack], False
    scaled = {"type": "Resize", "scale": (90, 40), "keep_ratio": True}
    yield "pipeline_of_a_test", [load[0], scaled, load[1], pack], True


def v0_ones():
    """(name, transform, size, number of seeds) of 0.30.0, where it differs from 1.x."""
    scales = [(80, 31), (45, 60)]
    choices = {
        "scale": ({"img_scale": (80, 40)}, 1),
        "stretched": ({"img_scale": (40, 64), "keep_ratio": False}, 1),
        "ratio": ({"img_scale": (90, 36), "ratio_range": (0.5, 2.0)}, 2),
        "range": ({"img_scale": scales}, 3),
        "range_stretched": ({"img_scale": scales, "keep_ratio": False}, 3),
        "value": ({"img_scale": scales, "multiscale_mode": "value"}, 3),
        "min_size": ({"img_scale": (80, 40), "min_size": 44}, 1),
    }
    for name, (choice, seeds) in choices.items():
        yield f"v0_resize_{name}", {"type": "Resize", **choice}, WHOLE, seeds
    choices = {
        "own_ratio": {"ratio_range": (0.5, 2.0)},
        "own_ratio_stretched": {"ratio_range": (0.5, 2.0), "keep_ratio": False},
        "own_ratio_min_size": {"ratio_range": (0.5, 2.0), "min_size": 40},
        "ratio_min_size": {"img_scale": (90, 36), "min_size": 40},
        "range_min_size": {"img_scale": scales, "min_size": 44},
        "value_min_size": {"img_scale": scales, "min_size": 40},
    }
    choices["ratio_min_size"]["ratio_range"] = (0.5, 2.0)
    choices["value_min_size"]["multiscale_mode"] = "value"
    for name, choice in choices.items():
        yield f"v0_resize_{name}", {"type": "Resize", **choice}, SMALL, 2
    bounded = {"type": "Resize", "img_scale": (80, 40), "min_size": 32}
    yield "v0_resize_min_size_wide", bounded, WIDE, 1
    yield "v0_pad_size", {"type": "Pad", "size": (60, 80)}, WHOLE, 1
    values = {"size_divisor": 25, "pad_val": (1, 2, 3), "seg_pad_val": 5}
    yield "v0_pad_divisor", {"type": "Pad", **values}, WHOLE, 1


# MARK: running them


@contextlib.contextmanager
def recorded_draws():
    """A list that fills with the draws of np.random, by the names of a Generator."""
    draws = []
    own = {
        name: getattr(np.random, name)
        for name in ("randint", "uniform", "rand", "random_sample", "choice", "random")
    }

    def note(kind, arguments, value):
        draws.append([kind, arguments, value])
        return value

    def integers(low, high=None):
        low, high = (0, low) if high is None else (low, high)
        return note("integers", [int(low), int(high)], int(own["randint"](low, high)))

    def uniform(low, high):
        return note("uniform", [float(low), float(high)], own["uniform"](low, high))

    def choice(values, p):
        index = int(own["choice"](len(values), p=p))
        note("choice", [len(values), list(p)], index)
        return values[index]

    def random():
        return note("random", [], own["random_sample"]())

    replacements = dict(
        randint=integers, uniform=uniform, choice=choice, rand=random
    ) | {"random_sample": random, "random": random}
    try:
        for name, function in replacements.items():
            setattr(np.random, name, function)
        yield draws
    finally:
        for name, function in own.items():
            setattr(np.random, name, function)


@contextlib.contextmanager
def labels_not_interpolated():
    """RandomRotFlip rotates labels as images, bilinear; here by nearest."""
    own = mmcv.imrotate

    def imrotate(array, **how):
        kind = {"interpolation": "nearest"} if array.ndim == 2 else {}
        return own(array, **{**kind, **how})

    mmcv.imrotate = imrotate
    try:
        yield
    finally:
        mmcv.imrotate = own


def v0_transforms(folder):
    """The registry of 0.30.0's transforms, of its one file that has them."""
    registry = mmengine.Registry("transforms of 0.30.0", scope="mmseg_v0")
    builder = types.ModuleType("mmseg_v0.datasets.builder")
    builder.PIPELINES = registry
    sys.modules[builder.__name__] = builder
    for name in ("mmseg_v0", "mmseg_v0.datasets", "mmseg_v0.datasets.pipelines"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    # mmcv 1.x had what mmengine has now.
    mmcv.utils.deprecated_api_warning = mmengine.utils.deprecated_api_warning
    mmcv.utils.is_tuple_of = mmengine.utils.is_tuple_of
    mmcv.is_list_of = mmengine.utils.is_list_of
    spec = importlib.util.spec_from_file_location(
        "mmseg_v0.datasets.pipelines.transforms",
        folder / "datasets" / "pipelines" / "transforms.py",
    )
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return registry


class Examples:
    """Runs transforms and keeps what becomes of the picture.

    Attributes:
        stored: the arrays of the file.
        described: {name: example} of the file.
    """

    def __init__(self, img, label):
        # All ids, and more of the ordinary ones.
        every_id = np.arange(16 * 24).reshape(16, 24) % 256
        self.stored = {"img": img, "label": label, "every_id": every_id.astype("u1")}
        self.described = {}

    def add_random(self, name, entry, size, seeds, registry=TRANSFORMS, v0=False):
        for seed in range(seeds):
            self.add(
                f"{name}_{seed}" if seeds > 1 else name, entry, size, seed, registry, v0
            )

    def add(self, name, entry, size, seed=0, registry=TRANSFORMS, v0=False):
        """Runs one transform, or several, on the upper left part of the picture."""
        config = entry if isinstance(entry, list) else [entry]
        window = np.s_[: size[0], : size[1]]
        results = {
            "img": self.stored["img"][window][..., ::-1].copy(),  # BGR in mmseg
            "img_shape": size,
            "gt_seg_map": self.stored["label"][window].copy(),
            "seg_fields": ["gt_seg_map"],
        }
        example = {"config": config, "v0": v0, "size": size}
        results, draws = self._run(config, results, seed, registry)
        self._keep(name, results["img"], results["gt_seg_map"], example, draws)

    def add_files(self, name, config, source, seed=0, **facts):
        """Runs transforms that load files, of the stored label named `source`."""
        label = self.stored[source]
        size = label.shape
        img = self.stored["img"][: size[0], : size[1]]
        with tempfile.TemporaryDirectory() as folder:
            paths = {"img_path": f"{folder}/a.png", "seg_map_path": f"{folder}/b.png"}
            Image.fromarray(img).save(paths["img_path"])
            Image.fromarray(label).save(paths["seg_map_path"])
            record = {**paths, **facts, "seg_fields": []}
            results, draws = self._run(config, record, seed, TRANSFORMS)
        if "inputs" in results:
            img = results["inputs"].numpy().transpose(1, 2, 0)
            label = results["data_samples"].gt_sem_seg.data.numpy()[0].astype("u1")
        else:
            img, label = results["img"], results["gt_seg_map"]
        # JSON has no integers for keys: pairs instead.
        label_map = facts["label_map"] and list(facts["label_map"].items())
        example = {"config": config, "v0": False, "size": size, "source": source}
        example |= {"facts": {**facts, "label_map": label_map}}
        self._keep(name, img, label, example, draws)

    def _run(self, config, results, seed, registry):
        transforms = [registry.build(dict(entry)) for entry in config]
        np.random.seed(seed)
        with recorded_draws() as draws, labels_not_interpolated():
            for transform in transforms:
                results = transform(results)
        return results, draws

    def _keep(self, name, img, label, example, draws):
        assert name not in self.described and label.dtype == np.uint8
        self.stored |= {f"{name}.img": img[..., ::-1], f"{name}.label": label}
        self.described[name] = {**example, "draws": draws}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--v0", type=pathlib.Path, required=True)
    v0_registry = v0_transforms(parser.parse_args().v0)
    register_all_modules(init_default_scope=True)

    examples = Examples(*make_picture())
    for name, entry, size in (*resizes(), *pads()):
        examples.add(name, entry, size)
    for name, config, size in intensities():
        examples.add(name, config, size)
        if "_" not in name:
            examples.add(f"v0_{name}", config, size, registry=v0_registry, v0=True)
    for name, entry, size, seeds in rotations_or_flips():
        examples.add_random(name, entry, size, seeds)
    for name, entry, size, seeds in cut_outs():
        examples.add_random(name, entry, size, seeds)
        examples.add_random(f"v0_{name}", entry, size, seeds, v0_registry, v0=True)
    for name, entry, size, seeds in random_ones():
        examples.add_random(name, entry, size, seeds)
    for name, entry, size, seeds in v0_ones():
        examples.add_random(name, entry, size, seeds, v0_registry, v0=True)
    load = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}]
    for name, reduced, label_map in label_files():
        facts = {"reduce_zero_label": reduced, "label_map": label_map}
        examples.add_files(name, load, "every_id", **facts)
    for name, config, reduced in training_pipelines():
        for seed in range(3 if "test" not in name else 1):
            facts = {"reduce_zero_label": reduced, "label_map": None}
            examples.add_files(f"{name}_{seed}", config, "label", seed, **facts)

    stored = examples.stored | {"opencv": np.array(cv2.__version__)}
    stored["examples"] = np.array(json.dumps(examples.described))
    path = HERE / "mmseg_examples.npz"
    np.savez_compressed(path, **stored)
    print(f"{path}: {len(examples.described)} examples, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()

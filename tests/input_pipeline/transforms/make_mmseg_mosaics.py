"""Makes mmseg_mosaics.npz: samples of MMSegmentation's MultiImageMixDataset.

    python tests/input_pipeline/transforms/make_mmseg_mosaics.py

in the environment of make_mmseg_examples.py, which stands beside it.

The file holds `img` (RGB), `label` and `depth` (float32), of which sample i of the data
set is the upper left part of `sizes`[i], (h, w), behind the transforms `inner`; and for
each example NAME.img, NAME.label and NAME.depth, what came out. `examples` is JSON of
{"sizes": sizes, "inner": transforms, "found": {NAME: {"index": the sample that was
asked for, "config": transforms, "draws": as in mmseg_examples.npz}}}.
"""

import json

import numpy as np
from make_mmseg_examples import HERE, make_picture, recorded_draws
from mmseg.datasets import MultiImageMixDataset
from mmseg.registry import DATASETS, TRANSFORMS
from mmseg.utils import register_all_modules

SIZES = ((47, 63), (20, 60), (45, 18), (33, 33), (9, 12))
INNER = [{"type": "RandomFlip", "prob": 0.5}]


@DATASETS.register_module()
class Windows:
    """Parts of one picture, each flipped or not."""

    metainfo = None

    def __init__(self):
        self.img, self.label = make_picture()
        y, x = np.indices(self.label.shape)
        self.depth = (1 + y * 0.25 + np.cos(x / 5)).astype(np.float32)
        self._flip = TRANSFORMS.build(dict(INNER[0]))

    def full_init(self):
        """Asked for by the data set around it."""

    def __len__(self):
        return len(SIZES)

    def __getitem__(self, index):
        window = np.s_[: SIZES[index][0], : SIZES[index][1]]
        results = {
            "img": self.img[window][..., ::-1].copy(),  # BGR in mmseg
            "img_shape": SIZES[index],
            "gt_seg_map": self.label[window].copy(),
            "gt_depth_map": self.depth[window].copy(),
            "seg_fields": ["gt_seg_map", "gt_depth_map"],
        }
        return self._flip(results)


def pipelines():
    """(name, transforms, seeds) of the data set around it."""
    mosaic = {"type": "RandomMosaic", "prob": 1.0, "img_scale": (30, 40)}
    filled = {**mosaic, "pad_val": 5, "seg_pad_val": 9}
    yield "mosaic", [filled], 4
    wide = {**filled, "prob": 0.5, "center_ratio_range": (0.0, 2.0)}
    yield "perhaps", [wide], 4
    crop = {"type": "RandomCrop", "crop_size": (24, 32), "cat_max_ratio": 0.75}
    resize = {"type": "RandomResize", "scale": (90, 60), "ratio_range": (0.5, 2.0)}
    yield "cropped", [filled, resize, crop], 2


def main():
    register_all_modules(init_default_scope=True)
    windows, found = Windows(), {}
    stored = {"img": windows.img, "label": windows.label, "depth": windows.depth}
    for name, config, seeds in pipelines():
        entries = [dict(entry) for entry in config]
        dataset = MultiImageMixDataset({"type": "Windows"}, entries)
        for seed in range(seeds):
            np.random.seed(seed)
            with recorded_draws() as draws:
                results = dataset[seed]
            one = f"{name}_{seed}"
            stored[f"{one}.img"] = results["img"][..., ::-1]
            stored[f"{one}.label"] = results["gt_seg_map"]
            stored[f"{one}.depth"] = results["gt_depth_map"]
            found[one] = {"index": seed, "config": config, "draws": draws}
    examples = {"sizes": SIZES, "inner": INNER, "found": found}
    stored["examples"] = np.array(json.dumps(examples))
    np.savez_compressed(HERE / "mmseg_mosaics.npz", **stored)


if __name__ == "__main__":
    main()

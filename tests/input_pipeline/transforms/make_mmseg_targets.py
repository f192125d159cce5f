"""Makes mmseg_targets.npz: labels, depths and edges as MMSegmentation's transforms do.

    python tests/input_pipeline/transforms/make_mmseg_targets.py

in the environment of make_mmseg_examples.py, which stands beside it.

The file holds `label` and `depth` (float32), both (47, 63); `edges_W`, the edges of the
label of width W; and for each example NAME.label and NAME.depth, what came out, with
`examples`, JSON of {NAME: {"config": transforms, "draws": as in mmseg_examples.npz}}.
"""

import json

import numpy as np
from make_mmseg_examples import HERE, make_picture, recorded_draws
from mmseg.registry import TRANSFORMS
from mmseg.utils import register_all_modules

WIDTHS = (1, 2, 3, 4, 7)


def pipelines():
    """(name, transforms): what goes over every map of a sample."""
    resize = {"type": "RandomResize", "scale": (90, 60), "ratio_range": (0.5, 2.0)}
    crop = {"type": "RandomCrop", "crop_size": (30, 40), "cat_max_ratio": 0.75}
    yield "resize", [resize]
    yield "resize_and_crop", [{**resize, "keep_ratio": True}, crop]
    three = ["horizontal", "vertical", "diagonal"]
    yield "flip", [{"type": "RandomFlip", "prob": 0.9, "direction": three}]
    rotate = {"type": "RandomRotate", "prob": 1.0, "degree": 40.0, "seg_pad_val": 9}
    yield "rotate", [rotate]


def main():
    register_all_modules(init_default_scope=True)
    img, label = make_picture()
    y, x = np.indices(label.shape)
    depth = (1 + y * 0.25 + np.cos(x / 5)).astype(np.float32)
    stored, examples = {"label": label, "depth": depth}, {}
    for width in WIDTHS:
        edges = TRANSFORMS.build({"type": "GenerateEdge", "edge_width": width})
        results = edges({"img_shape": label.shape, "gt_seg_map": label})
        stored[f"edges_{width}"] = results["gt_edge_map"]
    for name, config in pipelines():
        for seed in range(3):
            results = {
                "img": img[..., ::-1].copy(),
                "img_shape": label.shape,
                "gt_seg_map": label.copy(),
                "gt_depth_map": depth.copy(),
                "seg_fields": ["gt_seg_map", "gt_depth_map"],
            }
            transforms = [TRANSFORMS.build(dict(entry)) for entry in config]
            np.random.seed(seed)
            with recorded_draws() as draws:
                for transform in transforms:
                    results = transform(results)
            stored[f"{name}_{seed}.label"] = results["gt_seg_map"]
            stored[f"{name}_{seed}.depth"] = results["gt_depth_map"]
            examples[f"{name}_{seed}"] = {"config": config, "draws": draws}
    stored["examples"] = np.array(json.dumps(examples))
    np.savez_compressed(HERE / "mmseg_targets.npz", **stored)


if __name__ == "__main__":
    main()

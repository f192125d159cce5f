"""The end of a pipeline."""

import numpy as np

from input_pipeline.transforms import PackSegInputs, RandomFlip


def test_pack_keeps_what_a_batch_needs(picture, label):
    results = {"img": picture[:, ::2], "gt_seg_map": label[:, ::2], "img_path": "a"}
    results |= {"ori_shape": (60, 80), "img_shape": (60, 40), "classes": ("x", "y")}
    packed = PackSegInputs()(RandomFlip(1.0)(results, np.random.default_rng(0)), None)
    kept = {"img", "gt_seg_map", "img_path", "ori_shape", "img_shape"}
    assert set(packed) == kept
    assert packed["img"].flags.c_contiguous and packed["gt_seg_map"].flags.c_contiguous
    only = PackSegInputs(meta_keys=("flip", "absent"))
    assert set(only({"img": picture, "flip": True}, None)) == {"img", "flip"}

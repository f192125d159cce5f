"""Makes mmseg_biomedical.npz: what mmseg 1.2.2 makes of a slice, a volume of one z.

    python tests/input_pipeline/transforms/make_mmseg_biomedical.py

in an environment with mmsegmentation. The draws are those of NumPy's RandomState.
"""

import json
import pathlib

import numpy as np
from mmseg.datasets import transforms

CASES = [
    dict(type="BioMedicalGaussianNoise", prob=0.7, mean=0.5, std=2.0),
    dict(type="BioMedicalGaussianBlur", prob=0.7),
    dict(
        type="BioMedicalGaussianBlur",
        prob=1.0,
        sigma_range=(1.0, 3.0),
        prob_per_channel=0.9,
        different_sigma_per_channel=False,
        different_sigma_per_axis=False,
    ),
    dict(type="BioMedicalRandomGamma", prob=0.7),
    dict(type="BioMedicalRandomGamma", prob=1.0, invert_image=True, retain_stats=True),
    dict(type="BioMedicalRandomGamma", prob=1.0, gamma_range=(1.5, 3.0)),
    dict(type="BioMedical3DRandomCrop", crop_shape=(1, 4, 6)),
    dict(type="BioMedical3DRandomCrop", crop_shape=(1, 5, 30), keep_foreground=False),
    dict(type="BioMedical3DRandomFlip", prob=0.5, axes=(0, 1, 2)),
    dict(type="BioMedical3DPad", pad_shape=(1, 13, 16), pad_val=-1.0),
]
SEEDS = range(5)


def volume(square):
    """img (2, 1, Y, X) float32 and gt_seg_map (1, Y, X) uint8; a formula."""
    y, x = np.indices((9, 9 if square else 12), np.float32)
    img = np.stack([np.sin(y + 2 * x) * 9, x * y - 20])[:, None]
    label = ((x > 6) + 2 * ((y > 5) & (x < 3))).astype(np.uint8)[None]
    return {"img": img, "gt_seg_map": label, "img_path": "a.npy"}


def build(config):
    fields = dict(config)
    return getattr(transforms, fields.pop("type"))(**fields)


def main():
    arrays = {}
    for place, config in enumerate(CASES):
        padded = config["type"] == "BioMedical3DPad"  # wrong but for squares
        for seed in SEEDS:
            np.random.seed(seed)
            found = build(config)(volume(padded))
            arrays[f"{place}.{seed}.img"] = found["img"][:, 0]
            if not padded:  # which loses the label
                label = found["gt_seg_map"]
                arrays[f"{place}.{seed}.label"] = label.reshape(label.shape[-2:])
    path = pathlib.Path(__file__).with_name("mmseg_biomedical.npz")
    for square, name in ((False, "slice"), (True, "square")):
        sample = volume(square)
        arrays[f"{name}.img"] = sample["img"][:, 0]
        arrays[f"{name}.label"] = sample["gt_seg_map"][0]
    np.savez_compressed(path, cases=json.dumps(CASES), **arrays)


if __name__ == "__main__":
    main()

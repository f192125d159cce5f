"""`python -m jaxseg.prepare polygons`: painted labels equal those of a training."""

import json

import numpy as np
from PIL import Image

from input_pipeline.datasets import BaseSegDataset
from input_pipeline.transforms import LoadAnnotations
from jaxseg.load_config import load_config
from jaxseg.prepare import main
from jaxseg.settings.read import read_settings

CONFIG = """
def get_config():
    part = dict(
        type="BaseSegDataset", data_root={root!r}, img_suffix=".png",
        data_prefix=dict(img_path="images", seg_map_path="labels"),
        seg_map_suffix=".json", metainfo=dict(classes=["background", "a", "b"]),
        label_map={{"x": 255}},
        pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")])
    first, second = part | dict(ann_file="1.txt"), part | dict(ann_file="2.txt")
    both = dict(type="ConcatDataset", datasets=[first, second])
    return dict(
        train_dataloader=dict(dataset=both), val_dataloader=dict(dataset=second))
"""


def test_labels_of_a_config_as_png(tmp_path, capsys):
    for name in ("images/s", "labels/s"):
        (tmp_path / name).mkdir(parents=True)
    for i, name in enumerate("abx"):
        Image.new("RGB", (9, 7)).save(tmp_path / f"images/s/{i}.png")
        points = [[0, 0], [4, 0], [4, 3 + i], [0, 3 + i]]
        shapes = [dict(label=name, points=points)]
        (tmp_path / f"labels/s/{i}.json").write_text(json.dumps(dict(shapes=shapes)))
    (tmp_path / "1.txt").write_text("s/0\ns/2\n")
    (tmp_path / "2.txt").write_text("s/1\n")
    path = tmp_path / "config.py"
    path.write_text(CONFIG.format(root=str(tmp_path)))
    out = tmp_path / "out"
    arguments = ["polygons", "--config", f"{path}:", "--output", str(out)]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert f"{out}/train_0: 2 labels written, 0 were there before" in told
    assert f"data_prefix.seg_map_path='{out}/val', seg_map_suffix='.png'" in told
    settings = read_settings(load_config(f"{path}:", ()))
    for name, part in zip(
        ("train_0", "train_1", "val"),
        [*settings.train_dataloader.dataset.parts(), settings.val_dataloader.dataset],
        strict=True,
    ):
        written = sorted((out / name).rglob("*.png"))
        assert len(written) == len(part)
        for index, file in enumerate(written):
            label = part.sample(index, np.random.default_rng(0))["gt_seg_map"]
            np.testing.assert_array_equal(np.asarray(Image.open(file)), label)
            assert len(np.unique(label)) == 2

    # A data set of what was written is the same one.
    again = BaseSegDataset(
        str(tmp_path),
        {"img_path": "images", "seg_map_path": "out/train_0"},
        "1.txt",
        ".png",
        metainfo={"classes": ["background", "a", "b"]},
    )
    first = settings.train_dataloader.dataset.parts()[0]
    for index in range(2):
        np.testing.assert_array_equal(
            LoadAnnotations().label_of(again[index]),
            LoadAnnotations().label_of(first[index]),
        )
    (out / "train_0/s/2.png").unlink()
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert f"{out}/train_0: 1 labels written, 1 were there before" in told
    path.write_text(CONFIG.format(root=str(tmp_path)).replace('"x": 255', '"x": "b"'))
    assert main(arguments) == 1
    assert "labels of other classes or settings" in capsys.readouterr().err
    (tmp_path / "labels/s/1.json").write_text('{"shapes": [{}]}')
    assert main([*arguments[:-1], str(tmp_path / "new")]) == 1
    assert "1.json: a damaged or unknown form of LabelMe" in capsys.readouterr().err

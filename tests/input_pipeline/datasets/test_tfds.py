"""TFDS read by index, in a process of its own that must not import TensorFlow."""

import subprocess
import sys
import textwrap

# Four images of i grey levels, (4 + i) x 6, with the label i % 2.
PROGRAM = """
import io, pickle, sys, warnings
import cv2
import numpy as np
import tensorflow_datasets as tfds
from input_pipeline.datasets import TFDSDataset
from input_pipeline.errors import DataError


class TinySeg(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        png = lambda c: tfds.features.Image(shape=(None, None, c), encoding_format="png")
        features = {"image": png(3), "segmentation_mask": png(1)}
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, _):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        # Encoded files: TFDS would encode arrays with TensorFlow.
        png = lambda a: io.BytesIO(cv2.imencode(".png", a)[1].tobytes())
        for i in range(4):
            image = np.full((4 + i, 6, 3), i, np.uint8)
            label = np.full((4 + i, 6), i % 2, np.uint8)
            yield i, {"image": png(image), "segmentation_mask": png(label)}


folder = sys.argv[1]
TinySeg(data_dir=folder, file_format="array_record").download_and_prepare()
fields = dict(data_dir=folder, metainfo={"classes": ("a", "b")})
dataset = TFDSDataset("tiny_seg", "train", **fields)
assert len(dataset) == 4, len(dataset)
for same in (dataset, pickle.loads(pickle.dumps(dataset))):
    records = [same[i] for i in range(4)]
    assert sorted(r["img"].max() for r in records) == [0, 1, 2, 3]  # TFDS shuffles them
    for r in records:
        value = r["img"].max()
        assert r["img"].shape == (4 + value, 6, 3) and r["img"].dtype == np.uint8
        assert r["gt_seg_map"].shape == (4 + value, 6)
        assert (r["gt_seg_map"] == value % 2).all()
        assert r["classes"] == ("a", "b")
assert len(TFDSDataset("tiny_seg", "train[:50%]", **fields)) == 2

for wrong in (
    dict(name="tiny_seg", split="val"),
    dict(name="no_such_set", split="train"),
    dict(name="tiny_seg", split="train", label_key="mask"),
    dict(name="tiny_seg", split="train[:0]"),
):
    try:
        TFDSDataset(**wrong, **fields)
    except DataError as error:
        print("refused:", error)
assert "tensorflow" not in sys.modules
print("done")
"""


def test_records_errors_and_no_tensorflow(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[-1] == "done"
    refused = [line for line in lines if line.startswith("refused:")]
    assert "Unknown split 'val'. Should be one of ['train']" in refused[0]
    assert "Dataset no_such_set not found" in refused[1]
    assert "tfds build no_such_set --file_format=array_record" in refused[1]
    assert "has no feature 'mask'; it has ['image', 'segmentation_mask']" in refused[2]
    assert "split 'train[:0]' cannot be read" in refused[3]

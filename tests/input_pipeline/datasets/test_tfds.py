"""TFDS read by index, in a process of its own that must not import TensorFlow."""

import subprocess
import sys
import textwrap

# Four images of i grey levels, (4 + i) x 6, with the label i % 2.
PROGRAM = """
import io, json, pathlib, pickle, shutil, sys, warnings
import cv2
import numpy as np
import tensorflow_datasets as tfds
from input_pipeline.datasets import TFDSDataset
from input_pipeline.errors import DataError
from input_pipeline.formats.tfds_folder import find_folder
from input_pipeline.transforms import LoadImageFromFile


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

def refused(action):
    try:
        action()
    except DataError as error:
        print("refused:", error)


small = (LoadImageFromFile(max_pixels=20),)
refused(lambda: TFDSDataset("tiny_seg", "train", pipeline=small, **fields)[0])

# A class of a module that can be imported, named as itself and in a text of JSON.
pathlib.Path(folder, "hostile.py").write_text("print('hostile was imported')")
sys.path.append(folder)
path = pathlib.Path(folder, "tiny_seg", "1.0.0", "features.json")
text = path.read_text()
own = "tensorflow_datasets.core.features.image_feature.Image"
assert own in text
inner = json.dumps({"feature": {"type": "hostile.Feature", "content": {}}})
sequence = {
    "pythonClassName": "tensorflow_datasets.core.features.sequence_feature.Sequence",
    "jsonFeature": {"json": inner},
}
for hostile in (
    text.replace(own, "hostile.Feature"),
    text.replace("pythonClassName", "python_class_name").replace(own, "hostile.Feature"),
    json.dumps({"type": "hostile.Feature", "content": {}}),
    json.dumps(sequence),
    "[" * 100_000,
    "{}",
):
    path.write_text(hostile)
    refused(lambda: TFDSDataset("tiny_seg", "train", **fields))
assert "hostile" not in sys.modules
path.write_text(text)

data = next(path.parent.glob("*.array_record*"))
content = data.read_bytes()
at = content.index(b"IHDR")
data.write_bytes(content[:at] + bytes(20) + content[at + 20 :])
refused(lambda: [TFDSDataset("tiny_seg", "train", **fields)[i] for i in range(4)])

for version in ("1.2.0", "1.10.0"):
    shutil.copytree(path.parent, path.parents[1] / version)
assert find_folder("tiny_seg", folder).endswith("tiny_seg/1.10.0")
assert find_folder("tiny_seg:1.2.0", folder).endswith("tiny_seg/1.2.0")
for name in ("one", "two"):
    shutil.copytree(path.parent, pathlib.Path(folder, "several", name, "1.0.0"))
assert find_folder("several/two", folder).endswith("several/two/1.0.0")
for name in ("tiny_seg:3.0.0", "several", "../tiny_seg"):
    refused(lambda: find_folder(name, folder))
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
    assert "example 0, segmentation_mask" in refused[4]
    assert "max_pixels allows 20" in refused[4]
    for line in refused[5:9]:
        assert "features.json: it names the class 'hostile.Feature', which" in line
    assert "features.json: not a description of features" in refused[9]
    assert "cannot be read" in refused[10]
    assert "TFDSDataset tiny_seg, split 'train'" in refused[11]
    assert "It has the versions ['1.0.0', '1.2.0', '1.10.0']" in refused[12]
    assert "It has the configs ['one', 'two']: name one" in refused[13]
    assert "'../tiny_seg' is no name of a TFDS data set" in refused[14]
    assert "hostile was imported" not in ran.stdout

"""Makes cityscapes_scores.npz: two scenes, and what cityscapesscripts says of them.

    python tests/metrics/make_cityscapes_scores.py

needs cityscapesscripts (2.3.0), NumPy and Pillow.
"""

import json
import pathlib
import tempfile

import cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling as official
import numpy as np
from cityscapesscripts.helpers import labels
from PIL import Image

np.in1d = np.isin  # what cityscapesscripts 2.3.0 calls, and NumPy 2.4 took away
SIZE = (48, 96)
HERE = pathlib.Path(__file__).parent


def scene(rng):
    """Predicted train ids, label ids and instance ids of rectangles."""
    ids, instances = np.full(SIZE, 7, np.uint8), np.full(SIZE, 7, np.uint16)
    for number in range(60):
        y, x = rng.integers(0, 40), rng.integers(0, 84)
        h, w = rng.integers(3, 16, 2)
        label = labels.id2label[int(rng.integers(0, 34))]
        part = np.s_[y : y + h, x : x + w]
        ids[part] = label.id
        alone = label.hasInstances and rng.random() < 0.8
        instances[part] = label.id * 1000 + number if alone else label.id
    train = np.array([max(labels.id2label[i].trainId, 0) for i in range(34)])
    train[train == 255] = 3
    pred = train[ids]
    wrong = rng.random(SIZE) < 0.3
    pred[wrong] = rng.integers(0, 19, wrong.sum())
    pred[pred == 16] = 13  # no train is ever predicted
    return pred.astype(np.uint8), ids, instances


rng = np.random.default_rng(0)
scenes = [scene(rng) for _ in range(2)]
to_id = np.array([labels.trainId2label[i].id for i in range(19)], np.uint8)
with tempfile.TemporaryDirectory() as folder:
    pairs = []
    for i, (pred, ids, instances) in enumerate(scenes):
        stem = f"{folder}/s_{i:06d}_000019"
        Image.fromarray(to_id[pred]).save(f"{stem}_pred.png")
        Image.fromarray(ids).save(f"{stem}_gtFine_labelIds.png")
        Image.fromarray(instances).save(f"{stem}_gtFine_instanceIds.png")
        pairs.append((f"{stem}_pred.png", f"{stem}_gtFine_labelIds.png"))
    official.args.JSONOutput = False
    official.args.quiet = True
    result = official.evaluateImgLists(*zip(*pairs), official.args)
kept = {
    key: result[key]
    for key in result
    if key.startswith("averageScore") or key.endswith("Scores")
}
np.savez_compressed(
    HERE / "cityscapes_scores.npz",
    preds=np.stack([s[0] for s in scenes]),
    ids=np.stack([s[1] for s in scenes]),
    instances=np.stack([s[2] for s in scenes]),
    scores=json.dumps(kept),
)
print(json.dumps(kept, indent=1))

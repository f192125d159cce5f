"""Makes eomt.npz: what transformers' EoMT predicts block by block as it is trained.

    python tests/segmentors/make_eomt.py

It needs torch and transformers (5.24.0 made what is there), and takes the model and the
weights of tests/weights/huggingface. The first block with queries has all masks, in the
second a query loses its mask where DRAWS are above PROBABILITY.
"""

import json
import pathlib
import sys
import tempfile
from unittest import mock

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).parent
CASES = FOLDER.parent / "weights" / "huggingface"
sys.path.insert(0, str(CASES))

from drawn import drawn_image, drawn_weights

PROBABILITY = 0.6**0.9
DRAWS = np.array([[0.1, 0.9, 0.3, 0.7, 0.62, 0.64]], np.float32)


def main():
    case = np.load(CASES / "eomt.npz")
    weights = drawn_weights(json.loads(str(case["shapes"])))
    weights["attn_mask_probs"] = np.array([1, PROBABILITY], np.float32)
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(str(case["config"]))
        path = pathlib.Path(folder, "model.safetensors")
        save_file(weights, path, {"format": "pt"})
        # torch's fused attention takes the float32 mask for something else here.
        model = transformers.EomtForUniversalSegmentation.from_pretrained(
            folder, dtype=torch.float64, attn_implementation="eager"
        )
    found, predict = [], model.predict

    def recorded(logits):
        found.append(predict(logits))
        return found[-1]

    model.predict = recorded
    image = torch.from_numpy(drawn_image(64, 64)).double().permute(0, 3, 1, 2)
    drawn = mock.patch("torch.rand", lambda *a, **k: torch.from_numpy(DRAWS).double())
    with drawn, torch.no_grad():
        model.train()(image)
    masks = np.stack([m.permute(0, 2, 3, 1).numpy() for m, _ in found], axis=1)
    scores = np.stack([s.numpy() for _, s in found], axis=1)
    for m in found:
        seen = torch.nn.functional.interpolate(m[0], size=(4, 4), mode="bilinear") > 0
        print("of a mask is seen", seen.float().mean((2, 3)).numpy())
    np.savez_compressed(
        FOLDER / "eomt.npz",
        draws=DRAWS,
        masks=masks.astype(np.float32),
        scores=scores.astype(np.float32),
    )
    print(masks.shape, scores.shape, (FOLDER / "eomt.npz").stat().st_size)


if __name__ == "__main__":
    main()

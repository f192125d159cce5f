"""scripts/benchmark/evaluation.py as a user types it, with a stand-in for mmseg's side."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from scripts.benchmark.measuring.synthetic import varied_sizes
from tests.xla_flags import xla_flags

ROOT = pathlib.Path(__file__).parents[3]
TINY = ROOT / "tests/tiny.py"

# Speaks the protocol of scripts/benchmark/measuring/against.py; every pass takes 1000 s. Of its
# pixels as many are of each true class as were drawn, and all are found to be class 0.
STAND_IN = """#!{python}
import ast, json, pathlib, sys
sys.path[:0] = {path}
import numpy as np
from PIL import Image
job = ast.literal_eval(sys.stdin.readline())
assert pathlib.Path(job["weights"]).stat().st_size > 1000
assert "buckets" not in job["model"]["test_cfg"], job["model"]
root, prefix = job["dataset"]["data_root"], job["dataset"]["data_prefix"]
counts = np.zeros((5, 4), int)
for path in pathlib.Path(root, prefix["seg_map_path"]).iterdir():
    counts[:4, 0] += np.bincount(np.asarray(Image.open(path)).ravel(), minlength=4)
hello = dict(variants=["only"], torch="2", mmseg="1", torch_device="cpu",
             threads=job["threads"], model_from="nothing", counts=counts.tolist(),
             scores=dict(aAcc=12.34, mIoU=5.67))
print(json.dumps(hello), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    assert order["measure"] in ("evaluation", "evaluation_network", "reading"), order
    print(json.dumps(dict(seconds=1000.0)), flush=True)
"""

# The tiny config's own U-Net takes multiples of 4 alone.
BACKBONE = dict(
    type="ResNetV1c", depth=18, stem_channels=8, base_channels=8, num_stages=1,
    strides=(1,), dilations=(1,), out_indices=(0,), norm_cfg=dict(type="BN"),
)  # fmt: skip
HEAD = dict(
    type="FCNHead", in_channels=8, in_index=0, channels=8, num_convs=1, num_classes=4,
    norm_cfg=dict(type="BN"),
)  # fmt: skip


def benchmark(*arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", "scripts/benchmark/evaluation.py"]
        + [str(argument) for argument in arguments],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": xla_flags()},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.long
def test_an_evaluation_and_the_comparison(tmp_path):
    stand_in = tmp_path / "python"
    stand_in.write_text(STAND_IN.format(python=sys.executable, path=sys.path))
    stand_in.chmod(0o755)
    result = benchmark(
        *("--config", f"{TINY}:{tmp_path / 'nowhere'}", "--short", 48, "--count", 6),
        f"--config.model.backbone={BACKBONE}",
        f"--config.model.decode_head={HEAD}",
        *("--exact", "--rounds", 2, "--json", tmp_path / "result.json"),
        *("--against", "mmseg", "--torch-python", stand_in),
    )
    assert result.returncode == 0, result.stderr
    assert "6 synthetic JPEG images of 6 sizes" in result.stdout
    assert "images of 6 sizes run in 5 buckets" in result.stderr
    assert "of mmseg's, only: network 100 %, reading 100 %" in result.stdout
    assert "mmseg: aAcc 12.34, mIoU 5.67" in result.stdout
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["buckets"]["programs"] == {"network": 5, "rest": 5}
    assert found["exact"]["programs"] == {"network": 6, "rest": 6}
    for key in ("evaluation", "evaluation_network", "reading"):
        assert 0 < found[key]["fastest"] <= found[key]["slowest"]
        comparison = found["against"]["measures"][key]
        assert comparison["ours"]["lowest"] == found[key]["fastest"]
        ratio = comparison["variants"]["only"]["ratio"]["best"]
        assert ratio == 1000 / found[key]["fastest"]
    # What waits for the network alone is shorter than all of it.
    network, whole = found["evaluation_network"], found["evaluation"]
    assert network["fastest"] < whole["slowest"]
    assert found["agreement"]["exact"] == 0
    # The stand-in takes all for class 0; the weights give every class something.
    moved, pixels = found["agreement"]["mmseg"], found["agreement"]["pixels"]
    assert 0.2 * pixels < moved < pixels


def test_arguments_that_cannot_be_used():
    for arguments, words in (
        (["--against", "mmseg"], "--against mmseg and --torch-python PYTHON belong"),
        (["--sizes", "3"], "unknown argument --sizes"),
        (["--count", "0"], "'0' is no number above 0"),
    ):
        result = benchmark("--config", "any.py", *arguments)
        assert result.returncode == 2
        assert words in result.stderr


def test_made_up_sizes_are_those_of_photographs():
    sizes = np.array(varied_sizes(200, 512))
    short, long = sizes.min(1), sizes.max(1)
    assert 384 <= short.min() and short.max() <= 768
    assert (long >= short).all() and (long <= 2 * short + 1).all()
    assert 0.15 < (sizes[:, 0] > sizes[:, 1]).mean() < 0.35
    assert len({tuple(size) for size in sizes.tolist()}) > 190

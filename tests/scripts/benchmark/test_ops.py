"""scripts/benchmark/ops.py as a user types it, and against a stand-in for PyTorch."""

import ast
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from jaxseg import losses
from scripts.benchmark.measuring.against import AgainstError
from scripts.benchmark.measuring.op_cases import CASES, Case, make_arrays
from scripts.benchmark.measuring.op_functions import LOSSES, OPS
from scripts.benchmark.measuring.ops import format_table, measure_ops
from tests.xla_flags import xla_flags

ROOT = pathlib.Path(__file__).parents[3]

# Speaks the protocol of scripts/benchmark/measuring/against.py; every step takes 1000 s, or 2000 s
# in the second layout.
STAND_IN = """
import ast, json
job = ast.literal_eval(input())
norms = {name: NORMS for name in job["cases"]}
print(json.dumps(dict(variants=["first", "second"], torch="2", norms=norms)), flush=True)
while True:
    order = json.loads(input())
    assert order["measure"] in ("tiny:forward", "tiny:forward and backward"), order
    seconds = order["steps"] * (1000 if order["variant"] == "first" else 2000)
    print(json.dumps(dict(seconds=seconds)), flush=True)
"""

# Cells of one pixel: the result is x, and its gradient the cotangent, the square of x.
TINY = Case("tiny", "avg_pool", (("normal", (1, 2, 3, 2)),), {"window": 1})


def stand_in(folder, norms):
    path = folder / "stand_in.py"
    path.write_text(STAND_IN.replace("NORMS", repr(norms)))
    return [sys.executable, str(path)]


def tiny_norms():
    (x,) = make_arrays(TINY.name, TINY.arrays)
    return [float(np.linalg.norm(x)), float(np.linalg.norm(x * x))]


def test_ratios_are_over_the_better_layout(tmp_path):
    result = measure_ops([TINY], 2, stand_in(tmp_path, tiny_norms()))
    assert [row["measure"] for row in result["rows"]] == [
        "forward",
        "forward and backward",
    ]
    for row in result["rows"]:
        assert row["first"]["fastest"] == 1000
        assert row["second"]["median"] == 2000
        assert row["ratio"] == row["ours"]["fastest"] / 1000
    head, _, *lines = format_table(result).splitlines()
    assert head == "| operation |  | ours | first | second | ours / torch |"
    assert len(lines) == 2 and lines[0].endswith("| 1000000.00 | 2000000.00 | 0.00 |")


def test_a_side_that_computes_something_else_is_an_error(tmp_path):
    first, second = tiny_norms()
    with pytest.raises(AgainstError, match="tiny: norms .* different things"):
        measure_ops([TINY], 1, stand_in(tmp_path, [first, 1.01 * second]))


def test_the_command_measures_alone(tmp_path):
    script = ["scripts/benchmark/ops.py", "--only", "global average", "--rounds", "1"]
    output = subprocess.run(
        [sys.executable, "-W", "error", *script, "--json", str(tmp_path / "ops.json")],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": xla_flags()},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output.startswith("| operation |  | ours |\n| --- | --- | ---: |\n")
    result = json.loads((tmp_path / "ops.json").read_text())
    assert [row["name"] for row in result["rows"]] == ["global average"] * 2
    assert all(row["ours"]["fastest"] > 0 for row in result["rows"])
    assert result["torch"] is None


def test_cases_have_names_of_their_own_and_known_kinds():
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.kind for case in CASES} == OPS.keys()


# Public functions of jaxseg/ops that models, losses and post-processing call, each with
# the kind of case that measures it.
MEASURED = {
    "attention.attend": "attention",
    "attention.attention": "attention",
    "batch_norm.batch_norm": "batch_norm",
    "confusion.confusion_matrix": "confusion",
    "conv.conv2d": "conv",
    "conv.conv_transpose2d": "conv_transpose",
    "layer_norm.layer_norm": "layer_norm",
    "linear.linear": "linear",
    "pool.adaptive_avg_pool": "adaptive_avg_pool",
    "pool.avg_pool": "avg_pool",
    "pool.max_pool": "max_pool",
    "resize.interpolate_axis": "resize",
    "resize.resize": "resize",
    "resize.upsample": "resize",
    "select.kth_smallest": "kth_smallest",
    "select.largest_channel": "largest_channel",
    "strips.map.strip_map": "upsample_argmax",
    "strips.sums.strip_sums": "upsample_loss",
}

# Rooms, files and functions without a row, and why.
ELSEWHERE = {
    "assignment": "on the host in mmseg",
    "attention_by_heads": "a form of attention, which is measured with it",
    "bands": "rows of one image on several devices",
    "compiler_options": "options, no operation",
    "confusion.add_label_maps": "sums of the matrix",
    "confusion.add_to_total": "sums of the matrix",
    "confusion.empty_total": "zeros of the host",
    "confusion.read_total": "reads the sums",
    "context": "sums, products and softmaxes of whole maps",
    "criss_cross": "products of a map of 1/8 of the image, in one head",
    "cpu": "forms of the operations above, which are measured with them",
    "deform_conv": "a gather and a product, in networks that ask for it",
    "distance": "on the host in mmseg",
    "dynamic_conv": "kernels of one image, of 1 to 5 taps, in one head",
    "flip": "on the host in mmseg: scripts/benchmark/input.py",
    "interpolation": "tables in NumPy, at trace time",
    "least_size": "checks sizes, at trace time",
    "make_divisible": "widths of networks; computes nothing",
    "multi_scale_deform_attn": "gathers, in one pixel decoder",
    "narrow": "types, and where gradients are summed",
    "nmf": "products of a map of 1/8 of the image, in one head",
    "pad": "copies a border",
    "padded": "sizes that differ within a batch: scripts/benchmark/evaluation.py",
    "pair": "no operation",
    "photometric": "on the host in mmseg: scripts/benchmark/input.py",
    "pick_classes": "an argmax: select.largest_channel is measured",
    "platform": "chooses between forms; computes nothing",
    "point_sample": "a few points of a map",
    "pool.adaptive_max_pool": "a gather of a map of 1/16 of the image, in one head",
    "pool.mean_around": "a depthwise convolution of 3x3 ones",
    "pool.window_mean": "a depthwise convolution, or three poolings of 1/64 of the image",
    "precision": "says how products multiply; computes nothing",
    "psa_mask": "slices of a kernel and of a map, in one head",
    "relative_position": "copies a small table",
    "skew": "a padding, in attention over places",
    "strips.prediction": "sizes that differ: scripts/benchmark/evaluation.py",
    "unit": "some hundred vectors of classes and queries",
    "windows": "a transposition, around attention",
    "varying": "says where gradients are summed; computes nothing",
}


def public_functions():
    folder = ROOT / "jaxseg" / "ops"
    for path in sorted(folder.rglob("[!_]*.py")):
        module = ".".join(path.relative_to(folder).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield f"{module}.{node.name}"


def is_elsewhere(name):
    return any(name == one or name.startswith(one + ".") for one in ELSEWHERE)


def test_every_operation_has_a_row():
    names = set(public_functions())
    assert {name for name in names if not is_elsewhere(name)} == MEASURED.keys()
    # What is left out is there.
    for one in ELSEWHERE:
        assert any(name == one or name.startswith(one + ".") for name in names), one
    assert set(MEASURED.values()) <= {case.kind for case in CASES}


# Losses without a row.
OTHER_LOSSES = {
    "BoundaryLoss": "the sigmoid cross entropy of one channel",
    "HuasdorffDisstanceLoss": "most of it is on the host in mmseg",
    "KLDivLoss": "a softmax of two logits",
    "MaskCrossEntropyLoss": "some thousand points of a few masks",
    "MaskDiceLoss": "the strips of Dice, of a few masks",
    "MaskFocalLoss": "the strips of the focal loss, of a few masks",
    "QueryClassLoss": "a softmax of some hundred queries",
    "SiLogLoss": "logarithms of one channel",
}


def test_every_loss_has_a_row():
    measured = {type(loss).__name__ for loss in LOSSES.values()}
    if any("ohem" in case.options for case in CASES):
        measured.add("OHEMPixelSampler")
    assert measured | OTHER_LOSSES.keys() == set(losses.__all__)
    assert not measured & OTHER_LOSSES.keys()
    used = {
        case.options.get("loss", "softmax")
        for case in CASES
        if case.kind == "upsample_loss"
    }
    assert used == LOSSES.keys()

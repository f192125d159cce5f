"""scripts/benchmark/plan.py: what a program asks of a device, from the command line."""

import importlib.util
import json
import subprocess
import sys

import jax
import pytest

from jaxseg.load_config import load_config
from scripts.benchmark import plan as script
from scripts.benchmark.measuring import abstract_program, plan
from scripts.benchmark.measuring.abstract_program import Compiled, DoesNotFit
from scripts.benchmark.measuring.chip import Chip, find_chip
from scripts.benchmark.measuring.largest_batch import largest_batch
from scripts.benchmark.measuring.plan_report import format_plan
from scripts.benchmark.measuring.program_products import products
from scripts.benchmark.measuring.program_text import read_program
from tests.conftest import ROOT
from tests.scripts.benchmark.test_program_products import PRODUCTS
from tests.scripts.benchmark.test_program_text import LOOP


@pytest.fixture
def arguments(tiny_data):
    config = f"{ROOT / 'tests' / 'tiny.py'}:{tiny_data}"
    return ["--config", config, "--topology", "local", "--size", "64,64"]


def test_a_step_on_the_local_devices(arguments, tmp_path, capsys):
    file = tmp_path / "plan.json"
    asked = [*arguments, "--batch_size", "16", "--json", str(file)]
    assert script.main(asked) == 0
    text = capsys.readouterr().out
    assert "training step of 16 images of 64x64, float32, for 8 x cpu (local)" in text
    assert "no bounds of time: the table of chips has no peaks of this device" in text
    result = json.loads(file.read_text())
    kinds = result["memory"]["kinds"]
    # SGD with momentum keeps one number a parameter, and counts its steps.
    assert 0 < kinds["parameters"] <= kinds["optimizer"] < kinds["parameters"] + 100
    # Two images, their labels and two sizes on each device.
    assert kinds["batch"] == 2 * (64 * 64 * (3 + 1) + 2 * 4)
    assert kinds["padding of these"] == 0
    assert result["memory"]["total"] == sum(kinds.values())
    work = result["work"]
    # XLA counts the same where there are no loops to count.
    assert work["bytes"] == pytest.approx(work["xla_bytes"], rel=0.1)
    assert work["flops"] > 0
    # A CPU has no tiles; XLA counts the rest of the arithmetic, too.
    multiplied = result["products"]
    assert 0 < multiplied["flops"] == multiplied["padded_flops"] < work["flops"]
    assert "times as many" in text
    # The state is read and written; every kernel is a factor besides.
    assert work["bytes"] > work["necessary_bytes"] > 5 * kinds["parameters"]
    (sums,) = result["collectives"]["kinds"]
    assert sums["kind"] == "all-reduce" and not sums["in_loop"]
    assert sums["bytes"] > kinds["parameters"]  # of the gradients and statistics
    assert len(result["heaviest"]) == 10
    origins = {row["origin"].split("/")[0] for row in result["heaviest"]}
    assert origins & {"backbone", "decode_head"}
    moved = [row["bytes"] for row in result["heaviest"]]
    assert moved == sorted(moved, reverse=True) and sum(moved) <= work["bytes"]


def test_the_programs_of_predictions_on_one_device(arguments, tmp_path, capsys):
    file = tmp_path / "plan.json"
    asked = [*arguments, "--batch_size", "2", "--what", "inference"]
    assert script.main([*asked, "--json", str(file)]) == 0
    text = capsys.readouterr().out
    assert "network of predictions, 2 images on one device of 64x64" in text
    assert "then, from the network's maps to label maps, of the same images" in text
    assert text.count("collectives: none") == 2
    network = json.loads(file.read_text())
    kinds = network["memory"]["kinds"]
    rest = network["then"]["memory"]["kinds"]
    assert rest["kept"] == kinds["parameters"] + kinds["other state"] > 0
    # Four classes of a map of half the sides, in float32, become one byte a pixel.
    assert rest["maps"] == kinds["results"] == 2 * 32 * 32 * 4 * 4
    assert rest["results"] == 2 * 64 * 64
    origins = {row["origin"].split("/")[0] for row in network["then"]["heaviest"]}
    assert "jit(_run_finish)" in origins


def test_one_image_on_all_devices(arguments, capsys):
    asked = [*arguments, "--what", "inference", "--config.mesh.spatial=8"]
    assert script.main([*asked, "--batch_size", "1"]) == 0
    text = capsys.readouterr().out
    assert "label map of one image on 8 devices, its rows of 64x64" in text
    assert "collective-permute" in text
    assert script.main([*asked, "--batch_size", "2"]) == 1
    assert "give --batch_size 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        (("--topology", "v5e"), "--topology 'v5e' is no topology: allowed are local"),
        (("--topology", "v5e:2x2"), "is not installed here: pip install 'jax[tpu]'"),
        (("--batch_size", "12"), "mesh.data * mesh.fsdp = 8 must divide it"),
        (("--largest_batch",), "how much memory a device of the kind 'cpu' has"),
        (("--config.xla_flags.xla_cpu_no_such=1",), "xla_flags.xla_cpu_no_such=1: "),
        (
            ("--config.xla_flags.xla_tpu_run_space_to_batch=false",),
            "xla_flags.xla_tpu_run_space_to_batch is the text 'false': write False",
        ),
    ],
    ids=["no slice", "no compiler", "batch", "no chip", "no flag", "text"],
)
def test_what_cannot_be_planned(replaced, message, arguments, monkeypatch, capsys):
    monkeypatch.delenv("TPU_LIBRARY_PATH", raising=False)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name != "libtpu" and find(name)
    )
    assert script.main([*arguments, "--batch_size", "8", *replaced]) == 1
    captured = capsys.readouterr()
    last = captured.err.splitlines()[-1]
    assert last.startswith("error: ") and message in last
    assert captured.out == ""


def test_the_arithmetic_of_one_device(arguments, monkeypatch):
    """The same on all meshes of as many devices, but for rows that two of them need."""

    class NotCompiled:
        def cost_analysis(self):
            return {}

        def as_text(self):
            return ""

    def lower(step, *arguments):
        flops = step.lower(*arguments).cost_analysis()["flops"]
        seconds = {"trace_seconds": 0.0, "compile_seconds": 0.0}
        return NotCompiled(), {"flops": flops, "memory": None, **seconds}

    monkeypatch.setattr(abstract_program, "compile_program", lower)
    config = load_config(arguments[1])

    def flops(**mesh):
        config["mesh"] = mesh
        devices = jax.devices()[:2]
        return abstract_program.compile_step(config, devices, 4, (64, 64)).flops

    on_data = flops()
    assert flops(fsdp=2) == pytest.approx(on_data, rel=0.01)
    assert flops(data=1, spatial=2) == pytest.approx(on_data, rel=0.03)


# The loop of LOOP moves 10 rows of 3 KB and some, and 11 KB before: by hand 61894 bytes.
MOVED = (4 + 10240) + 10 * ((2048 + 4) + 2048 + (2048 + 4) + 9)


def compiled(**changes):
    memory = {"arguments": 10_240, "outputs": 0, "temporaries": 20_000, "total": 30_240}
    values = {
        "text": LOOP,
        "parts": {"parameters": 10_000, "batch": 200},
        "memory": memory,
        "flops": 1e6,
        "xla_bytes": 5e4,
        "compile_seconds": 2.0,
    }
    return Compiled(**{**values, **changes})


def test_the_bounds_of_time():
    chip = Chip(flops=1e9, bandwidth=MOVED / 0.004, memory=60_480, source="a sheet")
    result = plan.describe(compiled(), chip)
    work = result["work"]
    assert work["bytes"] == MOVED
    assert work["least_seconds_by_flops"] == pytest.approx(0.001)
    assert work["least_seconds_by_bytes"] == pytest.approx(0.004)
    assert work["best_mfu"] == pytest.approx(0.25)
    assert result["memory"]["kinds"]["padding of these"] == 40
    assert result["collectives"]["kinds"] == [
        {"kind": "all-reduce", "in_loop": True, "count": 10, "bytes": 10_240}
    ]
    details = {"topology": "t", "kind": "k", "devices": 4, "what": "step"}
    details |= {"batch_size": 8, "size": (4, 6), "dtype": "bfloat16"}
    text = format_plan({**result, **details})
    assert "memory, MB: 50.0 % of the chip's" in text
    assert "at least 1.00 ms" in text and "at least 4.00 ms" in text
    assert "best MFU: 25.0 % (bfloat16 peak and bandwidth: a sheet)" in text
    assert "yes  0.010 MB f32, head/bn/psum" in text


def test_what_tiles_cost():
    chip = Chip(flops=1e9, bandwidth=1e9, memory=60_480, source="a sheet")
    result = plan.describe(compiled(text=PRODUCTS), chip)
    stem, head = products(read_program(PRODUCTS))
    found = result["products"]
    assert found["padded_flops"] == stem.padded_flops + head.padded_flops
    assert found["least_seconds"] == found["padded_flops"] / 1e9
    # In bfloat16 and float32; what the program takes, and gives.
    necessary = stem.bytes + head.bytes + (10_000 + 200) + 4 * 5 * 6 * 9
    assert result["work"]["necessary_bytes"] == necessary
    details = {"topology": "t", "kind": "k", "devices": 4, "what": "step"}
    details |= {"batch_size": 8, "size": (4, 6), "dtype": "bfloat16"}
    text = format_plan({**result, **details})
    assert "precision of the products: default and highest+default" in text
    assert "bf16[2,8,16,3] x bf16[3,3,3,19] -> bf16[2,4,8,19]  stem/conv" in text


def test_copies_and_float32_buffers():
    text = """\
ENTRY %main (x: f32[512,1024]) -> f32[1024,512] {
  %x = f32[512,1024]{1,0} parameter(0)
  %small = f32[8]{0} iota(), iota_dimension=0
  %other = f32[512,1024]{0,1} copy(%x), metadata={op_name="jit(f)/stem/bn/sub"}
  %fetched = f32[512,1024]{0,1:S(1)} copy(%other)
  ROOT %turned = f32[1024,512]{1,0} transpose(%other), dimensions={1,0}
}
"""
    result = plan.describe(compiled(text=text), None)
    assert [row["operation"] for row in result["copies"]] == ["copy", "transpose"]
    assert {row["origin"] for row in result["copies"]} == {"stem/bn/sub"}
    # With the one in the fast memory, which is no detour.
    assert sum(row["count"] for row in result["float32"]) == 3
    assert "best_mfu" not in result["work"]


@pytest.mark.parametrize(
    ("kind", "tflops"),
    [("TPU v5 lite", 197), ("TPU v5", 459), ("TPU v6 lite", 918), ("TPU v4", 275)],
)
def test_the_table_of_chips(kind, tflops):
    assert find_chip(kind).flops == tflops * 1e12
    assert find_chip("cpu") is None


@pytest.mark.parametrize("start", [1, 3, 9, 40])
@pytest.mark.parametrize(
    ("fixed", "each", "most"), [(1, 2, 12), (20, 1, 5), (0, 25, 1), (26, 1, 0)]
)
def test_the_search_of_the_largest_batch(fixed, each, most, start):
    asked = []

    def memory(images):
        asked.append(images)
        if images > 20:
            raise DoesNotFit("the compiler says so")
        return fixed + each * images

    assert largest_batch(memory, 25.5, start) == (most, len(asked))
    assert len(asked) == len(set(asked)) <= 7
    assert most == 0 or {most, most + 1} <= set(asked)


def test_the_plan_of_the_largest_batch(monkeypatch):
    config = {"model": {}}

    def fake(config, devices, batch_size, size):
        return compiled(memory={**compiled().memory, "total": 100 * batch_size})

    chip = Chip(flops=1e9, bandwidth=1e9, memory=750, source="a sheet")
    monkeypatch.setattr(plan, "find_chip", lambda kind: chip)
    monkeypatch.setitem(plan.PROGRAMS, "inference", fake)
    monkeypatch.setattr(plan, "resolve_model", lambda config: FakeModel)
    arguments = (config, jax.devices(), "inference")
    result = plan.make_plan(*arguments, 2, (8, 8), largest=True)
    assert result["largest_batch"]["batch_size"] == result["batch_size"] == 7
    text = format_plan({"topology": "local", **result})
    assert "the largest batch that fits is 7, 7 images a device" in text
    monkeypatch.setattr(plan, "find_chip", lambda kind: Chip(1e9, 1e9, 50, "a sheet"))
    with pytest.raises(DoesNotFit, match="not even one image of --size 8,8 fits"):
        plan.make_plan(*arguments, 2, (8, 8), largest=True)


class FakeModel:
    dtype = "float32"


def test_a_program_that_the_compiler_refuses(monkeypatch):
    """What a TPU's compiler says, in one sentence."""

    said = (
        "Ran out of memory on HBM, the total memory required for HLO temporaries "
        "(26.84G) exceeds available HBM (15.75G)."
    )

    def refuse(*_):
        raise jax.errors.JaxRuntimeError(f"RESOURCE_EXHAUSTED: {said}\nDetails")

    monkeypatch.setattr(abstract_program, "compile_program", refuse)
    with pytest.raises(DoesNotFit) as error:
        abstract_program._compile(None, (), {}, 1)
    assert str(error.value) == f"the program does not fit a device's memory: {said}"


@pytest.mark.long
def test_a_step_for_a_tpu(arguments, tmp_path):
    pytest.importorskip("libtpu")
    file = tmp_path / "plan.json"
    changed = ("--topology", "v5e:2x2", "--batch_size", "8", "--json", str(file))
    command = [sys.executable, "scripts/benchmark/plan.py", *arguments, *changed]
    command.append("--config.model.dtype=bfloat16")
    subprocess.run(command, cwd=ROOT, check=True, timeout=1200)
    result = json.loads(file.read_text())
    assert (result["kind"], result["devices"]) == ("TPU v5 lite", 4)
    assert 0 < result["work"]["best_mfu"] <= 1
    assert result["memory"]["total"] < result["memory"]["chip"] == 16e9
    assert result["memory"]["kinds"]["padding of these"] > 0  # tiles of 8 by 128
    # Channels by the eight and sixteen in tiles of 128.
    assert result["products"]["padded_flops"] > 10 * result["products"]["flops"] > 0
    assert {one["kind"] for one in result["collectives"]["kinds"]} == {"all-reduce"}
    assert any("bn" in one["origin"] for one in result["collectives"]["each"])

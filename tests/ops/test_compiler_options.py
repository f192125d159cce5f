import pathlib
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops import compiler_options as module
from jaxseg.ops.compiler_options import compiler_options

ROOT = pathlib.Path(__file__).parents[2]
CPU = jax.devices("cpu")[0]
WIDE = {"conv": {"kernel": jax.ShapeDtypeStruct((3, 3, 512, 8), jnp.float32)}}


@pytest.mark.parametrize(
    "shape", [(3, 3, 256, 512), (1, 1, 2048, 512), (512, 512), (7, 7, 1, 768)]
)
def test_only_wide_convolutions_of_several_taps_ask_for_any(shape):
    narrow = {"kernel": jax.ShapeDtypeStruct(shape, jnp.float32)}
    assert compiler_options(narrow, CPU) == {}
    assert compiler_options({**narrow, **WIDE}, CPU) != {}


def test_the_devices_decide_and_not_the_host():
    gpu = types.SimpleNamespace(platform="gpu")
    assert compiler_options(WIDE, gpu) == {}


def test_an_option_that_the_compiler_does_not_know_is_left_out(monkeypatch):
    monkeypatch.setitem(module._OWN, "cpu", {"xla_cpu_of_another_time": "1"})
    module._is_known.cache_clear()
    assert compiler_options(WIDE, CPU) == {}
    monkeypatch.undo()
    module._is_known.cache_clear()
    assert compiler_options(WIDE, CPU) != {}


def test_a_program_compiled_ahead_gives_the_same():
    x = np.linspace(-1, 1, 2 * 6 * 6 * 8, dtype=np.float32).reshape(2, 6, 6, 8)
    kernel = np.linspace(-1, 1, 9 * 8 * 4, dtype=np.float32).reshape(3, 3, 8, 4)

    def convolve(x, kernel):
        how = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=how
        )

    options = compiler_options(WIDE, CPU)
    ahead = jax.jit(convolve, compiler_options=options).lower(x, kernel).compile()
    np.testing.assert_allclose(
        ahead(x, kernel), jax.jit(convolve)(x, kernel), rtol=1e-4, atol=1e-4
    )


def test_flags_that_are_asked_for_go_to_their_platform_alone():
    flags = {"xla_gpu_autotune_level": 4, "xla_cpu_enable_fast_math": False}
    gpu = types.SimpleNamespace(platform="gpu")
    assert compiler_options(WIDE, gpu, flags) == {"xla_gpu_autotune_level": 4}
    alone, both = compiler_options(WIDE, CPU), compiler_options(WIDE, CPU, flags)
    assert both == {**alone, "xla_cpu_enable_fast_math": False}


CONVOLVE_ON_A_TPU = """
import jax, jax.numpy as jnp
from jax.sharding import SingleDeviceSharding
from jaxseg.ops.compiler_options import compiler_options
from scripts.benchmark.measuring.topology import topology_devices

device = topology_devices("v5e:2x2")[0]
place = SingleDeviceSharding(device)
x = jax.ShapeDtypeStruct((4, 64, 128, 128), jnp.bfloat16, sharding=place)
kernel = jax.ShapeDtypeStruct((3, 3, 128, 128), jnp.bfloat16, sharding=place)

def convolve(x, kernel):
    how = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=how)

options = compiler_options({}, device, {"xla_cpu_other": 1, **FLAGS})
print(jax.jit(convolve, compiler_options=options).lower(x, kernel).compile().as_text())
"""


@pytest.mark.parametrize("cut", [False, True])
def test_a_tpu_convolves_images_as_they_are_unless_it_is_asked(cut):
    pytest.importorskip("libtpu")
    flags = {"xla_tpu_run_space_to_batch": True} if cut else {}
    program = CONVOLVE_ON_A_TPU.replace("FLAGS", repr(flags))
    command = [sys.executable, "-c", program]
    run = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    assert ("bf16[64,32,17,128]" in run.stdout) == cut

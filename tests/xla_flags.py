"""XLA's flags of the tests' programs: the number of CPU devices, and a quick compiler.

Programs are compiled without LLVM's optimizations: nothing here runs long, and the tests
take about half the time. What XLA does to a program before that (fusions, layouts,
collectives) is as always. Where jaxlib still has the emitters that put all fusions of a
program into one LLVM module, they are taken: one module a fusion takes 10 ms each, which
is half of the compilation of a small model.
"""

from importlib.metadata import version

# Of a jit whose roundings are compared: this includes fused multiply-adds.
OPTIMIZED = {"xla_backend_optimization_level": 3}


def xla_flags(devices=1):
    """What the environment variable `XLA_FLAGS` holds."""
    flags = [
        f"--xla_force_host_platform_device_count={devices}",
        "--xla_backend_optimization_level=0",
    ]
    if version("jaxlib").startswith("0.10."):
        flags.append("--xla_cpu_use_fusion_emitters=false")
    return " ".join(flags)

"""XLA's flags of the tests' programs: the number of CPU devices, and a quick compiler.

Programs are compiled without LLVM's optimizations: nothing here runs long, and the tests
take about half the time. What XLA does to a program before that (fusions, layouts,
collectives) is as always.
"""

# Of a jit whose roundings are compared: this includes fused multiply-adds.
OPTIMIZED = {"xla_backend_optimization_level": 3}


def xla_flags(devices=1):
    """What the environment variable `XLA_FLAGS` holds."""
    count = f"--xla_force_host_platform_device_count={devices}"
    return f"{count} --xla_backend_optimization_level=0"

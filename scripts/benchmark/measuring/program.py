"""What XLA says of a program: its compilation, its memory, its arithmetic."""

import time
from typing import Any

import jax
from jax import monitoring

_COMPILATION = "/jax/core/compile/backend_compile_duration"


def compile_program(
    function: Any, *arguments: Any, **options: Any
) -> tuple[Any, dict[str, Any]]:
    """Compiles a jitted function for arguments, and describes the program.

    Args:
        function: whatever has `lower`.
        arguments, options: of `lower`.

    Returns:
        The compiled program, and
            trace_seconds, compile_seconds: from Python to XLA's input, and from there
                to the machine's code.
            flops: of one call by XLA's cost analysis, None where it has none. It is
                taken before XLA's own changes, which hide convolutions in calls that
                count as nothing; for a TPU that is only known after them. Of a loop
                it counts the body once.
            memory: bytes of `arguments`, `outputs` (without those that take the
                place of a donated argument), `temporaries`, and their `total`; None
                where the platform does not say.
    """
    start = time.perf_counter()
    lowered = function.lower(*arguments, **options)
    traced = time.perf_counter()
    compiled = lowered.compile()
    end = time.perf_counter()
    facts = {
        "trace_seconds": traced - start,
        "compile_seconds": end - traced,
        "flops": (lowered.cost_analysis() or compiled.cost_analysis() or {}).get(
            "flops"
        ),
        "memory": program_memory(compiled),
    }
    return compiled, facts


def program_memory(compiled: jax.stages.Compiled) -> dict[str, int] | None:
    """The `memory` of `compile_program`."""
    analysis = compiled.memory_analysis()
    if analysis is None:
        return None
    sizes = {
        "arguments": analysis.argument_size_in_bytes,
        "outputs": analysis.output_size_in_bytes - analysis.alias_size_in_bytes,
        "temporaries": analysis.temp_size_in_bytes,
    }
    return {**sizes, "total": sum(sizes.values())}


class Compilations:
    """Counts the programs that XLA compiles within a `with` statement."""

    def __init__(self):
        self.count = 0
        self.seconds = 0.0

    def __enter__(self):
        monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(self, *exception):
        monitoring.unregister_event_duration_listener(self._listen)

    def summary(self) -> dict[str, Any]:
        """What the report holds of it."""
        return {"compilations": self.count, "backend_compile_seconds": self.seconds}

    def _listen(self, event, seconds, **_):
        if event == _COMPILATION:
            self.count += 1
            self.seconds += seconds

"""The process in which a benchmark times what `jaxseg.main` does."""

import jax
from absl import flags

from jaxseg.runtime.host_memory import keep_freed_memory


def prepare_process() -> None:
    """Sets it up as `jaxseg.main` does, but without compiled programs of earlier runs.

    Compile times are then those of a first run.
    """
    keep_freed_memory()
    # grain's worker processes refuse to start from a program that never parsed them.
    flags.FLAGS.mark_as_parsed()
    jax.config.update("jax_enable_compilation_cache", False)

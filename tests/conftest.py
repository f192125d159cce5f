"""Every test sees eight CPU devices, and absl flags that count as parsed."""

import os

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from absl import flags

# grain's worker processes refuse to start from a program that never parsed them.
flags.FLAGS.mark_as_parsed()

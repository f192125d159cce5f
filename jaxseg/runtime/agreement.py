"""Agreement of hosts: what all have alike, compared before anything depends on it.

Hosts that differ give no error by themselves: with batches of different sizes the mean
over all of them comes out as a "replicated" array of another value on each host, and
the copies of the parameters drift apart.
"""

import collections
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxseg.errors import JaxsegError

# Facts that are shown of those that differ; two data sets may differ in everything.
_MOST_SHOWN = 10
_LONGEST_VALUE = 80

_ABSENT = "nothing"


class HostsDisagreeError(JaxsegError):
    """The processes of a run were started with different commands, code or data."""


def check_agreement(facts: Mapping[str, Any]) -> None:
    """Compares facts over all processes, which all call this at the same place.

    Args:
        facts: name -> JSON value; dicts and lists are compared item by item.

    Raises:
        HostsDisagreeError: on every process alike, naming each fact that differs, its
            values, and which process has which.
    """
    if jax.process_count() == 1:
        return
    text = json.dumps(facts, sort_keys=True).encode()
    length = np.frombuffer(np.int64(len(text)).tobytes(), np.uint8)
    digest = np.frombuffer(hashlib.sha256(text).digest(), np.uint8)
    # Bytes, for JAX would send 64-bit integers as 32.
    found = multihost_utils.process_allgather(np.concatenate([length, digest]))
    if (found == found[0]).all():
        return
    longest = max(np.frombuffer(row[:8].tobytes(), np.int64)[0] for row in found)
    padded = np.frombuffer(text.ljust(longest), np.uint8)
    texts = multihost_utils.process_allgather(padded)
    lines = differences([json.loads(row.tobytes()) for row in texts])
    more = len(lines) - _MOST_SHOWN
    lines[_MOST_SHOWN:] = [f"and {more} more"] if more > 0 else []
    raise HostsDisagreeError(
        "the processes of this run must have the same command, code and data, but "
        "these differ:\n  " + "\n  ".join(lines)
    )


def differences(facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each fact that is not the same in all of them.

    Args:
        facts: the facts of process 0, 1, ...

    Returns:
        Lines such as `config.optim_wrapper.optimizer.lr: process 0 has 0.01, processes
        1, 2 have 0.02`.
    """
    flat = [dict(_leaves(one)) for one in facts]
    names = dict.fromkeys(name for one in flat for name in one)
    lines = []
    for name in names:
        holders = collections.defaultdict(list)
        for process, one in enumerate(flat):
            value = json.dumps(one[name]) if name in one else _ABSENT
            holders[value].append(str(process))
        if len(holders) > 1:
            parts = [_who_has(who, value) for value, who in holders.items()]
            lines.append(f"{name}: {', '.join(parts)}")
    return lines


def _who_has(processes, value):
    if len(value) > _LONGEST_VALUE:
        value = value[:_LONGEST_VALUE] + "..."
    if len(processes) == 1:
        return f"process {processes[0]} has {value}"
    return f"processes {', '.join(processes)} have {value}"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of what is neither a dict nor a list; of those, if empty."""
    if value and isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


@functools.cache
def program_facts() -> dict[str, str]:
    """Versions of JAX and of jaxseg, and a digest of jaxseg's source.

    The version alone does not tell two checkouts apart.
    """
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for package in (root, root.parent / "input_pipeline"):
        for path in sorted(package.rglob("*.py")):
            digest.update(path.relative_to(root.parent).as_posix().encode())
            digest.update(path.read_bytes())
    return {
        "jax": jax.__version__,
        "jaxseg": importlib.metadata.version("jaxseg"),
        "source of jaxseg": digest.hexdigest()[:12],
    }


def batch_facts(batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Shapes and types of a host's part of a batch."""
    shapes = {name: list(array.shape) for name, array in batch.items()}
    types = {name: str(array.dtype) for name, array in batch.items()}
    return {"shape of a host's batch": shapes, "type of a host's batch": types}

"""The parts of a run, each measured alone, and then all of them together."""

import collections
import itertools
import statistics
import time
from typing import Any

import jax

from jaxseg.runtime.progress import Meter
from jaxseg.train.sharding import put_batch
from scripts.benchmark.measuring.device import peak_flops
from scripts.benchmark.measuring.program import Compilations
from scripts.benchmark.measuring.timing import Stopwatch, Timing
from scripts.benchmark.measuring.workload import Workload

# Steps that the loop lets the devices be behind, as `jaxseg.train.loop` does.
_BEHIND = 2

# Batches of a measurement of the loader, and before it: those that lay ready when it
# started would count as made in no time.
_FEWEST_BATCHES = 8


def measure_train(workload: Workload, stopwatch: Stopwatch) -> dict[str, Any]:
    """The training step; its batch lies on the devices."""
    with Compilations() as compilations:
        training = workload.training
    timing = stopwatch.versus("train", training.turn)
    return {
        **timing.summary(training.images),
        **compilations.summary(),
        **training.facts,
        **_rate(training.facts["flops"], timing),
    }


def measure_inference(workload: Workload, stopwatch: Stopwatch) -> dict[str, Any]:
    """Inference without and with what comes before and after the network.

    Returns:
        `network`: normalised images on the devices to logits at their own size.
        `label_maps`: images as loaded to label maps, both on the host.
    """
    with Compilations() as compilations:
        network = workload.network
    timing = stopwatch.versus("network", network.turn)
    alone = {
        **timing.summary(network.images),
        **compilations.summary(),
        **network.facts,
        **_rate(network.facts["flops"], timing),
    }
    with Compilations() as compilations:
        label_maps = workload.label_maps
        first = label_maps.turn(1)
    timing = stopwatch.versus("label_maps", label_maps.turn)
    whole = {
        **timing.summary(label_maps.images),
        **compilations.summary(),
        "first_call_seconds": first,
    }
    return {"network": alone, "label_maps": whole}


def _rate(flops, timing: Timing):
    """FLOP/s, and their share of the devices' peak where that is known."""
    if flops is None:
        return {}
    rate = flops / timing.median
    peak = peak_flops(jax.devices()[0].device_kind)
    if peak is None:
        return {"flops_per_second": rate}
    share = rate / (peak * jax.device_count())
    return {"flops_per_second": rate, "share_of_peak": share}


def measure_input(workload: Workload, stopwatch: Stopwatch) -> dict[str, Any]:
    """The training's input pipeline alone, by one thread and as the config has it."""
    run = workload.run
    loader = run.settings.train_dataloader
    per_process = loader.batch_size // jax.process_count()
    with workload.batches_of_one_thread() as batches:
        # What the process computes counts, not the clock: others may use the core.
        one = stopwatch.alone(_reader(batches, time.process_time))
    with run.batches(0) as batches:
        # Workers deliver in bursts: only the whole of it tells their rate.
        turn = _reader(batches, time.perf_counter)
        count = max(stopwatch.steps * stopwatch.repeats, _FEWEST_BATCHES)
        turn(_FEWEST_BATCHES)
        own = Timing((turn(count) / count,))
    return {
        "images_per_second_a_core": per_process / one.median,
        **own.summary(per_process),
        "num_workers": loader.num_workers,
        "num_threads": loader.num_threads,
    }


def _reader(batches, clock):
    def turn(steps):
        start = clock()
        for _ in itertools.islice(batches, steps):
            pass
        return clock() - start

    return turn


def measure_loop(workload: Workload, stopwatch: Stopwatch) -> dict[str, Any]:
    """Loading, transfer and training step, one after the other as in a run.

    Returns:
        With `data_wait`, the share of the time that the loop waits for a batch.
    """
    run, training = workload.run, workload.training
    meter = Meter()
    waits, seconds = [], []
    with run.batches(0) as batches:
        batch = put_batch(next(batches), run.mesh)
        for repetition in range(stopwatch.repeats + 1):
            start = time.perf_counter()
            meter.reset()
            recent = collections.deque()
            for _ in range(stopwatch.steps):
                training.state, result = training.step(training.state, batch)
                recent.append(result)
                with meter.waiting():
                    batch = next(batches)
                batch = put_batch(batch, run.mesh)
                if len(recent) > _BEHIND:
                    jax.block_until_ready(recent.popleft())
            jax.block_until_ready(training.state)
            if repetition:  # the first one fills the buffers
                seconds.append((time.perf_counter() - start) / stopwatch.steps)
                waits.append(meter.read()["data_wait"])
    return {
        **Timing(tuple(seconds)).summary(training.images),
        "data_wait": statistics.median(waits),
    }

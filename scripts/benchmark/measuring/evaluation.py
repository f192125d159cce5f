"""A whole evaluation of images of many sizes, from files to scores; ours and mmseg's."""

import contextlib
import functools
import pathlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxseg.config import ConfigError
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.inference.predictor import Predictor
from jaxseg.inference.programs import Programs
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings.read import read_settings
from jaxseg.weights.files.pth_writer import write_pth
from jaxseg.weights.state_dict import to_state_dict
from scripts.benchmark.measuring.against import AgainstError, OtherSide
from scripts.benchmark.measuring.device import describe_devices, usable_cpus
from scripts.benchmark.measuring.program import Compilations
from scripts.benchmark.measuring.synthetic import varied_sizes, with_synthetic_data
from scripts.benchmark.measuring.timing import Stopwatch


def now() -> float:
    """Seconds on a clock: of one CPU the processor's own, else the wall's.

    What else runs on that CPU then does not count.
    """
    return time.process_time() if usable_cpus() == 1 else time.perf_counter()


def run_evaluation(
    config: Mapping[str, Any],
    *,
    count: int,
    short: int,
    rounds: int,
    exact: bool = False,
    against: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Measures an evaluation with a config's model and test pipeline.

    Args:
        config: a whole one, from `load_config`; its data is not looked at.
        count: of the JPEG images that are made up, of `varied_sizes`.
        short: side in pixels to which a `Resize` that keeps the ratio brings the
            shorter side of an image; the longer one is at most four times that.
        rounds: evaluations that are timed, after the first one.
        exact: whether to evaluate at exact sizes as well, once, and compare counts.
        against: the command of the other side,
            `scripts/benchmark/torch_side/evaluation.py`.

    Returns:
        `device`; `setup`; by `buckets`, and `exact` if wanted, what `Evaluation.first`
        gives; by `evaluation`, `evaluation_network` and `reading` the seconds (`now`)
        of a pass over all images, as `Timing.summary`; `agreement`: how many pixels are
        counted elsewhere than in buckets; `against` as of `run_benchmark`.

    Raises:
        ConfigError, DataError: if the config cannot be used.
        AgainstError: if the comparison cannot be made.
    """
    with contextlib.ExitStack() as stack:
        name = tempfile.TemporaryDirectory(prefix="jaxseg_benchmark_")
        folder = pathlib.Path(stack.enter_context(name))
        sizes = varied_sizes(count, short)
        config = _prepare(config, folder / "data", sizes, short)
        buckets = Evaluation(config)
        result = {
            "device": describe_devices(),
            "setup": {
                "images": count,
                "sizes": len(buckets.network_sizes()),
                "short": short,
                "clock": "processor" if usable_cpus() == 1 else "wall",
                "mode": (config["model"].get("test_cfg") or {}).get("mode", "whole"),
            },
            "buckets": buckets.first(),
            "agreement": {"pixels": int(buckets.counts.sum())},
        }
        if exact:
            alone = Evaluation(_exact(config), buckets.variables)
            result["exact"] = alone.first()
            result["agreement"]["exact"] = _moved(buckets.counts, alone.counts)
        other = None
        if against is not None:
            job = _job(config, buckets.variables, folder)
            other = OtherSide(against, job, folder / "other_side.txt")
            stack.enter_context(other)
            theirs = np.array(other.hello.pop("counts"))
            result["agreement"]["mmseg"] = _moved(buckets.counts, theirs)
        stopwatch = Stopwatch(1, rounds, other)
        for measure, turn in buckets.turns.items():
            result[measure] = stopwatch.versus(measure, turn).summary(count)
        if other is not None:
            measures = {"measures": stopwatch.comparison}
            result["against"] = other.hello | {"steps": 1, "rounds": rounds} | measures
        return result


class Evaluation:
    """The program's own evaluation.

    Attributes:
        variables: fresh ones, with which every class wins somewhere.
        counts: the confusion matrix of the latest pass.
        turns: by measure.
    """

    def __init__(self, config: Mapping[str, Any], variables: Any = None):
        """Builds everything but the programs.

        Args:
            config: from `_prepare`.
            variables: another's; None makes some.
        """
        model = resolve_model(config["model"])
        settings = {key: config[key] for key in ("val_dataloader", "val_evaluator")}
        self._evaluator = Evaluator(Predictor(model), read_settings(settings))
        self.variables = self._fresh(model) if variables is None else variables
        self._found = None
        self.turns = {
            "evaluation": self._evaluate,
            "evaluation_network": self._network,
            "reading": self._read,
        }

    @property
    def counts(self) -> np.ndarray:
        [found] = self._found
        return found.total

    def network_sizes(self) -> set[tuple[int, int]]:
        """(height, width) of all images after the pipeline."""
        with self._evaluator.samples() as samples:
            return {sample["img"].shape[:2] for sample in samples}

    def first(self) -> dict[str, Any]:
        """The first pass, in which all is compiled.

        Returns:
            Its `seconds`; `compilations` and `backend_compile_seconds` by XLA's
            account; `programs`, the predictor's own; and the scores.
        """
        with Compilations() as compilations:
            seconds = self._evaluate(1)
        return {
            "seconds": seconds,
            **compilations.summary(),
            "programs": dict(self._evaluator.predictor.compilations),
            "scores": self._evaluator.scores(self._found).summary,
        }

    def _evaluate(self, steps):
        start = now()
        for _ in range(steps):
            self._found = self._evaluator.count(self.variables)
        return now() - start

    def _network(self, steps):
        """Seconds of the network in passes that wait for each of its calls."""
        with _timed(self._evaluator.predictor.programs) as seconds:
            self._evaluate(steps)
        return sum(seconds)

    def _read(self, steps):
        start = now()
        for _ in range(steps):
            with self._evaluator.samples() as samples:
                for _ in samples:
                    pass
        return now() - start

    def _fresh(self, model):
        image = self._evaluator.dataset.sample(0, np.random.default_rng(0))["img"]
        image = np.resize(image, (128, 128, image.shape[-1]))[None]
        variables = init_variables(model, 0, image.shape[-1], image.shape[1:3])
        run = jax.jit(functools.partial(model.apply, method="logits"))
        logits = np.asarray(run(variables, jax.jit(model.data_preprocessor)(image)))
        classifier = variables["params"]["decode_head"]["conv_seg"]
        middle = np.median(logits, axis=(0, 1, 2))
        classifier["bias"] = classifier["bias"] - middle
        return variables


@contextlib.contextmanager
def _timed(programs: Programs):
    """Within it every call of the network adds its seconds to a list."""
    seconds = []

    def timed(run):
        def call(*arguments):
            start = now()
            logits = jax.block_until_ready(run(*arguments))
            seconds.append(now() - start)
            return logits

        return call

    programs.network, programs.masked = timed(programs.network), timed(programs.masked)
    try:
        yield seconds
    finally:
        del programs.network, programs.masked


def _prepare(config, folder, sizes, short):
    """A config whose images are made up, with what an evaluation needs."""
    for name in ("model", "train_dataloader", "val_dataloader"):
        if not config.get(name):
            raise ConfigError(f"{name} is missing: this benchmark needs it")
    model = {**config["model"], "pretrained": None, "auxiliary_head": None}
    config = with_synthetic_data({**config, "model": model}, folder, sizes)
    loader = {**config["val_dataloader"], "batch_size": 1, "num_workers": 0}
    dataset = dict(loader["dataset"])
    dataset["pipeline"] = [
        {**step, "scale": [4 * short, short]} if step.get("keep_ratio") else step
        for step in dataset["pipeline"]
    ]
    evaluator = {"type": "IoUMetric", "iou_metrics": ["mIoU"]}
    loader["dataset"] = dataset
    return {**config, "val_dataloader": loader, "val_evaluator": evaluator}


def _exact(config):
    model = config["model"]
    test_cfg = {**(model.get("test_cfg") or {"mode": "whole"}), "buckets": False}
    return {**config, "model": {**model, "test_cfg": test_cfg}}


def _job(config, variables, folder):
    """What the other side needs to run the same."""
    if jax.device_count() > 1:
        raise AgainstError(
            f"a comparison runs on one device, and there are {jax.device_count()}"
        )
    weights = folder / "weights.pth"
    state_dict = to_state_dict(jax.tree.map(np.asarray, variables))
    write_pth(weights, state_dict, {})
    test_cfg = dict(config["model"].get("test_cfg") or {"mode": "whole"})
    test_cfg.pop("buckets", None)
    return {
        "config_file": None,
        "model": {**config["model"], "test_cfg": test_cfg},
        "weights": str(weights),
        "dataset": config["val_dataloader"]["dataset"],
        "threads": usable_cpus(),
        "platform": jax.devices()[0].platform,
    }


def _moved(counts, other):
    """Pixels, at least, that are counted as another class."""
    return int(np.abs(counts - other).sum()) // 2

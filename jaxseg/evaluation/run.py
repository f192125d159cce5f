"""Runs of a checkpoint over a data set, as the command line asks for them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxseg.config import plain
from jaxseg.evaluation.checks import check_classes
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.evaluation.outputs import NO_OUTPUTS, Outputs
from jaxseg.evaluation.report import report, write_tables
from jaxseg.evaluation.runner import Runner
from jaxseg.inference.loaded import load_model
from jaxseg.inference.predictor import Predictor
from jaxseg.metrics.metric import Scores
from jaxseg.runtime.agreement import check_agreement, program_facts
from jaxseg.runtime.progress import Progress
from jaxseg.settings.read import read_settings
from jaxseg.settings.unlabelled import without_labels

_log = logging.getLogger("jaxseg")


def evaluate_checkpoint(
    config: Mapping[str, Any] | None,
    checkpoint: str | Path,
    folder: Path,
    split: str = "val",
    outputs: Outputs = NO_OUTPUTS,
) -> Scores:
    """Scores a checkpoint on a split, and reports.

    Args:
        config: a whole config; None takes the one saved in the checkpoint. Its other
            loaders are not looked at, so that their data need not be there.
        checkpoint: as in `load.read_checkpoint`.
        folder: gets `eval.json` (of the split 'test', `test.json`), and in a folder
            `eval` (`test`) the tables and pictures of the metrics.
        split: 'val' or 'test'.
        outputs: what else is written. Probabilities take a second pass.

    Raises:
        ConfigError: if the config has no such loader, or its data does not fit.
        WorkdirError: if the scores or tables cannot be written; the scores are printed
            before.
    """
    model = load_model(config, checkpoint)
    settings = read_settings(model.config, (split,))
    predictor = Predictor(model.segmentor, xla_flags=settings.xla_flags)
    evaluator = Evaluator(predictor, settings, split)
    _check_and_log(model, evaluator, split)
    writers = outputs.writers(evaluator.dataset)
    apart = outputs.out_probabilities
    with Progress(len(evaluator.dataset), name=split) as progress:
        counts = evaluator.count(
            model.variables, progress.update, () if apart else writers
        )
    scores = evaluator.scores(counts)
    if apart:
        with Progress(len(evaluator.dataset), name="probabilities") as progress:
            evaluator.predict(model.variables, writers, progress.update, True)
    _log.info(predictor.count_of_compilations())
    if jax.process_index() == 0:
        name = "eval" if split == "val" else split
        report(scores, evaluator.classes, folder / f"{name}.json", split)
        write_tables(evaluator, counts, scores, folder / name)
    return scores


def predict_split(
    config: Mapping[str, Any] | None,
    checkpoint: str | Path,
    split: str,
    outputs: Outputs,
) -> None:
    """Predicts the images of a split, of which nothing is scored.

    Args:
        config, checkpoint, split: as of `evaluate_checkpoint`. The data set's labels
            need not be there.
        outputs: what is written.

    Raises:
        ConfigError: if the config has no such loader.
    """
    model = load_model(config, checkpoint)
    path = f"{split}_dataloader"
    parts = {**model.config, path: without_labels(model.config.get(path), path)}
    settings = read_settings(parts, (split,))
    predictor = Predictor(model.segmentor, xla_flags=settings.xla_flags)
    runner = Runner(predictor, settings, split)
    _check_and_log(model, runner, split)
    writers = outputs.writers(runner.dataset)
    with Progress(len(runner.dataset), name=split) as progress:
        runner.predict(
            model.variables, writers, progress.update, outputs.out_probabilities
        )
    if outputs.format_only is not None:
        _log.info(f"submission: {outputs.format_only}")
    _log.info(predictor.count_of_compilations())


def _check_and_log(model, runner, split):
    """What every host must have alike is compared, and the data set is looked at."""
    dataset = runner.dataset
    check_classes(model.segmentor, dataset, f"{split}_dataloader.dataset")
    _log.info("%s: %d samples; %s", split, len(dataset), runner.scanned)
    parts = {k: v for k, v in model.config.items() if k != "train_dataloader"}
    check_agreement(
        program_facts()
        | {
            "config": plain(parts),
            "validation samples": len(dataset),
            "classes": list(runner.classes),
        }
    )

"""Evaluation of a checkpoint, as the command line asks for it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from input_pipeline.scan import scan
from jaxseg.config import plain
from jaxseg.evaluation.checks import check_classes
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.evaluation.report import report, write_tables
from jaxseg.inference.loaded import load_model
from jaxseg.inference.predictor import Predictor
from jaxseg.metrics.metric import Scores
from jaxseg.runtime.agreement import check_agreement, program_facts
from jaxseg.runtime.progress import Progress
from jaxseg.settings.read import read_settings

_log = logging.getLogger("jaxseg")


def evaluate_checkpoint(
    config: Mapping[str, Any] | None,
    checkpoint: str | Path,
    folder: Path,
    split: str = "val",
) -> Scores:
    """Scores a checkpoint on a split, and reports.

    Args:
        config: a whole config; None takes the one saved in the checkpoint. Its other
            loaders are not looked at, so that their data need not be there.
        checkpoint: as in `load.read_checkpoint`.
        folder: gets `eval.json` (of the split 'test', `test.json`), and in a folder
            `eval` (`test`) the tables and pictures of the metrics.
        split: 'val' or 'test'.

    Raises:
        ConfigError: if the config has no such loader, or its data does not fit.
    """
    model = load_model(config, checkpoint)
    settings = read_settings(model.config, (split,))
    predictor = Predictor(model.segmentor, xla_flags=settings.xla_flags)
    evaluator = Evaluator(predictor, settings, split)
    dataset = evaluator.dataset
    check_classes(model.segmentor, dataset, f"{split}_dataloader.dataset")
    _log.info("%s: %d samples; %s", split, len(dataset), scan(dataset))
    check_agreement(
        program_facts()
        | {
            "config": plain(
                {k: v for k, v in model.config.items() if k != "train_dataloader"}
            ),
            "validation samples": len(dataset),
            "classes": list(evaluator.classes),
        }
    )
    with Progress(len(dataset), name=split) as progress:
        counts = evaluator.count(model.variables, progress.update)
    scores = evaluator.scores(counts)
    _log.info(predictor.count_of_compilations())
    if jax.process_index() == 0:
        name = "eval" if split == "val" else split
        write_tables(evaluator, counts, scores, folder / name)
        report(scores, evaluator.classes, folder / f"{name}.json", split)
    return scores

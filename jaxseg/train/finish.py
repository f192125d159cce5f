"""Finish of a training: its curves, pictures of predictions, and the final scores."""

import logging
from typing import Any

import jax

from jaxseg.evaluation.report import report
from jaxseg.inference.pictures import save_validation_grids
from jaxseg.metrics.metric import Scores
from jaxseg.runtime.metrics_file import FILE_NAME
from jaxseg.train.curves import draw_curves
from jaxseg.train.session import Session
from jaxseg.train.sharding import gather
from jaxseg.train.state import TrainState

_log = logging.getLogger("jaxseg")


def variables_of(state: TrainState) -> dict[str, Any]:
    """What a trained model is evaluated with: the moving average where there is one."""
    params = state.params if state.ema is None else state.ema
    return {"params": params, "batch_stats": state.batch_stats}


def finish(session: Session, state: TrainState, scores: Scores | None) -> None:
    """Pictures and the final scores; the last line printed is the first score.

    Args:
        session: the session of a run that is complete.
        state: its last one.
        scores: its scores; None where it was not evaluated in this start.
    """
    run, phases = session.run, session.phases
    variables = gather(variables_of(state), run.mesh)
    if scores is None and run.evaluator is not None:
        with phases.on("evaluation"):
            watchdog = phases.watchdog
            scores = run.evaluator(variables, lambda done: watchdog.renew())
    if jax.process_index() != 0:
        return
    curves = run.workdir / "curves.png"
    try:
        draw_curves(run.workdir / FILE_NAME, curves)
        print(f"curves: {curves}")
    except (OSError, ValueError) as error:  # the log is lost, or has nothing to draw
        _log.error("%s was not drawn: %s", curves, error)
    if scores is None:
        phases.spent.close()
        steps = run.settings.train_loop.max_iters
        print(f"trained {steps} iterations; without val_dataloader there are no scores")
        return
    predictions = run.workdir / "predictions"
    predictor = run.evaluator.predictor
    try:
        save_validation_grids(
            predictor, variables, run.val_set, predictions, run.settings.tta
        )
        print(f"predictions: {predictions}")
    except OSError as error:
        _log.error("%s: not all pictures were written: %s", predictions, error)
    print(predictor.count_of_compilations())
    phases.spent.close()
    report(scores, run.val_set.metainfo["classes"], run.workdir / "eval.json")

"""Curves of a run as one picture, from its `metrics.jsonl`."""

from pathlib import Path

from jaxseg.runtime.metrics_file import read_metrics
from jaxseg.visualize import new_figure

SCORES = ("mIoU", "mAcc", "aAcc", "mDice", "mFscore")


def draw_curves(metrics_jsonl: str | Path, path: str | Path) -> None:
    """Draws losses, learning rate, validation losses and scores over the steps.

    Panels without a value are left out; a null (a loss that was not finite) is a gap.

    Args:
        metrics_jsonl: File written by `MetricWriter`.
        path: Picture to write; its suffix names the format, e.g. `curves.png`.

    Raises:
        ValueError: The file holds nothing to draw.
    """
    lines = read_metrics(metrics_jsonl)
    train = [line for line in lines if line["split"] == "train"]
    val = [line for line in lines if line["split"] == "val"]
    losses = [name for name in _names(train) if "loss" in name]
    rates = [name for name in _names(train) if name == "lr" or name.startswith("lr/")]
    scores = [name for name in _names(val) if name in SCORES]
    panels = [
        ("training loss", train, losses),
        ("validation loss", val, [name for name in _names(val) if "loss" in name]),
        ("learning rate", train, rates),
        ("validation, %", val, scores),
    ]
    panels = [panel for panel in panels if panel[2]]
    if not panels:
        raise ValueError(f"{metrics_jsonl}: no losses, rates or scores to draw")
    figure = new_figure(4.8 * len(panels), 3.6)
    for axes, (title, rows, names) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels
    ):
        _draw_panel(axes, title, rows, names)
    figure.savefig(path, dpi=120)


def _names(rows: list[dict]) -> list[str]:
    """Returns the names of the values in `rows`, in order of appearance."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if name not in ("step", "split")]


def _draw_panel(axes, title: str, rows: list[dict], names: list[str]) -> None:
    marker = "o" if len(rows) <= 40 else None
    for name in names:
        points = [(row["step"], row[name]) for row in rows if name in row]
        steps = [step for step, _ in points]
        values = [value for _, value in points]
        drawn = [float("nan") if value is None else value for value in values]
        axes.plot(steps, drawn, label=name, marker=marker, markersize=3, linewidth=1.2)
        if name == "mIoU" and values[-1] is not None:
            axes.annotate(
                f"{values[-1]:.2f}",
                (steps[-1], values[-1]),
                xytext=(-2, 4),
                textcoords="offset points",
                ha="right",
            )
    axes.set_title(title)
    axes.set_xlabel("step")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    if len(names) > 1 or title == "validation, %":
        axes.legend(fontsize="small")

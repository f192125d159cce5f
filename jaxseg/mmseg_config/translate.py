"""Translation: a whole mmseg config, of either line, in jaxseg's vocabulary."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jaxseg.config import ConfigError, plain
from jaxseg.mmseg_config.account import Account
from jaxseg.mmseg_config.datasets import translate_data
from jaxseg.mmseg_config.evaluation import translate_evaluation
from jaxseg.mmseg_config.line import is_v0
from jaxseg.mmseg_config.model import translate_model
from jaxseg.mmseg_config.reader.base_dict import Variables
from jaxseg.mmseg_config.report import Report
from jaxseg.mmseg_config.shapes import check_shapes
from jaxseg.mmseg_config.training import translate_training

# What jaxseg leaves out, and why.
_LEFT_OUT = {
    "DSDLSegDataset": "is left out: it reads a description of the data set in the "
    "language DSDL by a package of its own. The images and labels are files in folders: "
    "name these by the data set's own type, or by BaseSegDataset",
    "VPD": "is left out: it is Stable Diffusion's U-Net, in the package ldm",
}


@dataclasses.dataclass(frozen=True)
class Translation:
    """What an mmseg config says in our words.

    Attributes:
        config: ours, with what is missing left in its place.
        missing: (path in it, name) of what jaxseg does not have.
        notes: what was read and not honoured.
        source: the file.
    """

    config: dict[str, Any]
    missing: list[tuple[str, str]]
    notes: list[str]
    source: str

    def require(self, parts: Sequence[str] | None = None) -> None:
        """Raises ConfigError naming all that is missing in some parts.

        Args:
            parts: paths such as `model`, `val_dataloader.dataset.pipeline`; None
                for the whole config.
        """
        require(self.missing, parts, self.source)


def require(
    missing: Sequence[tuple[str, str]], parts: Sequence[str] | None, source: str
) -> None:
    """As `Translation.require`."""
    lines = [
        f"  {path}: {name} {_LEFT_OUT.get(name, 'is not in jaxseg yet')}"
        for path, name in missing
        if parts is None or any(_below(path, part) for part in parts)
    ]
    if lines:
        raise ConfigError("\n".join([f"{source} cannot be used:", *lines]))


def _below(path, part):
    return path == part or path.startswith(f"{part}.")


def translate(raw: Mapping[str, Any], source: str | pathlib.Path) -> Translation:
    """Translates a config, all of it before anything is refused.

    Args:
        raw: what `inherit.read` gives; of another dict no variable counts as read by
            an expression.
        source: the file, whose name says how many GPUs batch_size is meant for.

    Raises:
        ConfigError: if it contradicts itself, or is no mmseg config.
    """
    unread = raw.unread if isinstance(raw, Variables) else raw.keys()
    check_shapes(raw)
    raw = Account(plain(raw), unread)
    report = Report()
    config = {
        "model": translate_model(raw, report),
        **translate_data(raw, report, str(source)),
        **translate_evaluation(raw, report),
        **translate_training(raw, report),
    }
    loader = config.get("train_dataloader")
    if loader:
        loader["batch_size"] = _global_batch(
            loader.get("batch_size") or 1, source, report
        )
        _end_of_epoch(
            loader, raw, "max_epochs" in (config.get("train_cfg") or {}), report
        )
    raw.tell(report)
    return Translation(plain(config), report.missing, report.all_notes(), str(source))


def _end_of_epoch(loader, raw, by_epoch, report):
    """What becomes of samples that fill no batch at the end of an epoch."""
    if not by_epoch and loader.pop("drop_last", None) is not None:
        report.drop("train_dataloader", ["drop_last"])
    elif by_epoch and is_v0(raw):  # mmseg 0.x leaves them out
        loader.setdefault("drop_last", True)


def _global_batch(per_gpu, source, report):
    count = gpus_of(source)
    if count is None:
        report.note(
            f"train_dataloader.batch_size={per_gpu} is per GPU in mmseg, and the name "
            "of the file does not say how many: it is taken for one. "
            "--config.train_dataloader.batch_size=N sets the batch of all devices"
        )
    return per_gpu * (count or 1)


def gpus_of(source: str | pathlib.Path) -> int | None:
    """The number of GPUs in a config's name, as both lines write it.

    `fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py` has 4 of them with 2 samples each, and
    so has 0.x's `fcn_r50-d8_4x2_512x1024_40k_cityscapes.py`: a product without `b`
    counts if it is beside that of the crop, and is the smaller one.
    """
    name = pathlib.Path(source).stem
    found = re.search(r"(?:^|[_-])(\d+)xb\d+(?=[_-]|$)", name)
    if found is None:
        pairs = re.findall(r"(?=[_-](\d+)x(\d+)(?:[_-]|$))", name)
        small = [pair for pair in pairs if max(map(int, pair)) <= 32]
        return int(small[0][0]) if len(pairs) == 2 and len(small) == 1 else None
    return int(found[1])

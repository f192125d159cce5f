"""NYU Depth V2 in BTS' selection: images and depths of rooms, in two lists."""

import os
import posixpath
from collections.abc import Mapping
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.prepare.converter import Converter, Count, Plan, Task
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.pixels import copied
from input_pipeline.sources import some_of


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    tasks, counts = [], []
    by_path = {member.path: member for member in files.members}
    for part, expected in (("train", 24231), ("test", 654)):
        pattern = rf"nyu_{part}\.txt"
        above = os.path.dirname(files.one(pattern, f"nyu_{part}.txt").path)
        lines = files.lines(pattern, f"nyu_{part}.txt")
        pairs = [_pair(line, part) for line in lines]
        absent = [
            name
            for pair in pairs
            for name in pair
            if posixpath.join(above, name) not in by_path
        ]
        if absent:
            raise DataError(
                f"nyu: {len(absent)} files that nyu_{part}.txt names are missing:\n"
                f"{some_of(absent)}\n{files.held()}"
            )
        for image, depth in pairs:
            for name, to in (
                (image, f"images/{part}/{image.replace('/rgb', '')}"),
                (depth, f"annotations/{part}/{depth.replace('/sync_depth', '')}"),
            ):
                member = by_path[posixpath.join(above, name)]
                tasks.append(Task(copied, (member,), (to,)))
        counts.append(Count(f"images of {part}", len(pairs), expected))
    return Plan(tasks, counts, [_folders("train")], _folders("test"))


def _pair(line: str, part: str) -> tuple[str, str]:
    """The image and the depth map of a line; behind them stands a focal length."""
    image, *others = line.split()
    if not others:
        raise DataError(f"nyu_{part}.txt: the line {line!r:.80} names no depth map.")
    return image.strip("/"), others[0].strip("/")


def _folders(part):
    prefix = {"img_path": f"images/{part}", "depth_map_path": f"annotations/{part}"}
    return {"data_prefix": prefix}


NYU = Converter(
    name="nyu",
    title="NYU Depth V2, depths of rooms",
    sources=("nyu.zip",),
    url="https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html",
    licence="research",
    size="24885 images of 640x480, 4 GB in the selection of BTS",
    layout="ROOM/rgb_N.jpg, ROOM/sync_depth_N.png, nyu_{train,test}.txt, the zip that "
    "MMSegmentation's page of data sets links to",
    dataset="NYUDataset",
    home="data/nyu",
    plan=_plan,
    checks="Its labels are depths in millimetres, PNG of 16 bits, which "
    "LoadDepthAnnotation(depth_rescale_factor=0.001) reads as gt_depth_map for a head "
    "that predicts depth.",
    has_config=False,
)

"""Edge generation: edges of a label map, as a target of their own."""

import dataclasses
from typing import ClassVar

import cv2
import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.transform import Transform

# The pixel that is marked, and the neighbour it is compared with: the one above, to the
# right, below to the right, below to the left. So an edge is one or two pixels wide.
_PAIRS = (
    (np.s_[1:, :], np.s_[:-1, :]),
    (np.s_[:, :-1], np.s_[:, 1:]),
    (np.s_[:-1, :-1], np.s_[1:, 1:]),
    (np.s_[:-1, 1:], np.s_[1:, :-1]),
)


def label_edges(label: np.ndarray, ignore_index: int, width: int) -> np.ndarray:
    """Marks with 1 where two classes touch; everywhere else is 0.

    Args:
        label: (H, W) class ids.
        ignore_index: the id whose borders are no edges.
        width: side in pixels of the square by which edges are dilated.

    Returns:
        (H, W) in the type of the label.
    """
    counts = label != ignore_index
    edges = np.zeros(label.shape, np.uint8)
    for here, there in _PAIRS:
        edges[here] |= (label[here] != label[there]) & counts[here] & counts[there]
    square = cv2.getStructuringElement(cv2.MORPH_RECT, (width, width))
    return cv2.dilate(edges, square).astype(label.dtype)


@dataclasses.dataclass(frozen=True)
class GenerateEdge(Transform):
    """Adds `gt_edge_map`, the edges between the classes of `gt_seg_map`.

    It stands behind what changes the label: a crop cuts edges that are dilated, and a
    resize changes their width. PIDNet's boundary branch learns from it.

    Attributes:
        edge_width: side in pixels of the square by which edges are dilated.
        ignore_index: label whose borders are no edges; by default the data set's.

    Raises:
        DataError: a sample without a label.
    """

    edge_width: int = 3
    ignore_index: int | None = None

    draws: ClassVar[bool] = False
    changes_size: ClassVar[bool] = False
    moves_pixels: ClassVar[bool] = False
    makes_targets: ClassVar[tuple[str, ...]] = ("gt_edge_map",)

    def __post_init__(self):
        if not isinstance(self.edge_width, int) or self.edge_width < 1:
            raise DataError(
                f"GenerateEdge.edge_width is {self.edge_width!r}; it must be an integer "
                "of 1 or more."
            )

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        if "gt_seg_map" not in results:
            raise DataError(
                f"{results.get('img_path')}: GenerateEdge needs a label; put "
                "LoadAnnotations before it."
            )
        ignored = self.ignore_index
        if ignored is None:
            ignored = results.get("ignore_index", 255)
        edges = label_edges(results["gt_seg_map"], ignored, self.edge_width)
        return results | {"gt_edge_map": edges}

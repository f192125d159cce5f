"""Outlines: a label map as polygons (GeoJSON) and as run lengths (COCO)."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from input_pipeline.formats.georeference import Georeference

Ring = list[list[int]]

_LONGITUDE_LATITUDE = 4326

# Right, down, left and up, as (rows, columns): along an edge the inside lies to the
# right of it.
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))


def geojson_of(
    label_map: np.ndarray,
    classes: Sequence[str],
    georeference: Georeference | None = None,
) -> dict[str, Any]:
    """A FeatureCollection with a Polygon for every connected area of a class.

    Points are corners of pixels, (x, y) from the top left of the image, and so a
    polygon covers just the pixels of its area; areas that touch at a corner alone are
    two. Holes are inner rings. What is no class has no polygon. With a georeference
    they are coordinates of its reference system, which the collection names.

    Args:
        label_map: (H, W) integers.
        classes: names of the classes.
        georeference: of the image.
    """
    features = []
    for number, name, mask in _masks_of(label_map, classes):
        for rings in polygons_of(mask):
            if georeference is not None:
                rings = [_in_world(ring, georeference) for ring in rings]
            properties = {"class": name, "id": number}
            geometry = {"type": "Polygon", "coordinates": rings}
            features.append(
                {"type": "Feature", "properties": properties, "geometry": geometry}
            )
    collection = {"type": "FeatureCollection", "features": features}
    # RFC 7946 knows longitudes and latitudes alone; GDAL and QGIS read others.
    if georeference is not None and georeference.epsg != _LONGITUDE_LATITUDE:
        name = f"urn:ogc:def:crs:EPSG::{georeference.epsg}"
        collection["crs"] = {"type": "name", "properties": {"name": name}}
    return collection


def _in_world(ring, georeference):
    """A ring in coordinates; the inside is to the left, as RFC 7946 has it."""
    points = georeference.to_world(np.array(ring, np.float64))
    turned = np.linalg.det(georeference.matrix[:, :2]) < 0
    return (points[::-1] if turned else points).tolist()


def annotations_of(
    label_map: np.ndarray, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Of each class that occurs, what an entry of COCO's `annotations` has.

    Args:
        label_map: (H, W) integers.
        classes: names of the classes.
    """
    return [
        {
            "category_id": number,
            "category": name,
            "segmentation": run_lengths_of(mask),
            "area": int(mask.sum()),
            "iscrowd": 1,
        }
        for number, name, mask in _masks_of(label_map, classes)
    ]


def _masks_of(label_map, classes):
    """The number, the name and the mask of each class that occurs."""
    for number, name in enumerate(classes):
        mask = label_map == number
        if mask.any():
            yield number, name, mask


def polygons_of(mask: np.ndarray) -> Iterator[list[Ring]]:
    """The outer ring and the holes of each connected area of a mask (H, W) bool."""
    count, areas, boxes, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    for area in range(1, count):
        left, top, width, height = boxes[area, :4].tolist()
        part = areas[top : top + height, left : left + width] == area
        rings = [
            [[x + left, y + top] for y, x in ring] for ring in _rings(np.pad(part, 1))
        ]
        # The outer ring is the one that goes round all the others.
        yield sorted(rings, key=_area, reverse=True)


def _rings(padded):
    """Closed rings of (row, column), of their corners alone, inside to the right."""
    edges = _edges(padded)
    remaining = dict.fromkeys(edges)
    while remaining:
        first = edge = next(iter(remaining))
        points = []
        while edge in remaining:
            del remaining[edge]
            (row, column), direction = edge
            step = _STEPS[direction]
            corner = (row + step[0], column + step[1])
            # Of two ways on, the one to the right stays with the same area.
            ways = (((direction + turn) % 4) for turn in (1, 0, 3))
            edge = next((corner, way) for way in ways if (corner, way) in edges)
            if edge[1] != direction:
                points.append(list(corner))
        assert edge == first, "outlines are closed"
        yield [*points, points[0]]


def _edges(padded):
    """Edges between inside and outside, as (corner where it begins, direction)."""
    edges = set()
    for direction, (down, right) in enumerate(_STEPS):
        outside = ~np.roll(padded, (right, -down), (0, 1))  # to the left of the edge
        for row, column in np.argwhere(padded & outside).tolist():
            corner = (row - (direction < 2), column - (direction in (0, 3)))
            edges.add((corner, direction))
    return edges


def _area(ring):
    """The area inside a ring of (x, y); of a hole, which goes round the other way, < 0."""
    x, y = np.array(ring, np.float64).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


def run_lengths_of(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's uncompressed RLE: `size` (H, W), `counts` down the columns.

    The counts are those of pixels outside and inside in turns, outside first.
    """
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    if flat.size and flat[0]:
        counts = [0, *counts]
    return {"size": list(mask.shape), "counts": counts}

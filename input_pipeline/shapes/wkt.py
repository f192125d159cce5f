"""WKT: polygons as text, `POLYGON ((x y, x y, ...), (hole))` and MULTIPOLYGON."""

import re

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.shapes.shape import flat_points, points_of, polygon_of

_KIND = re.compile(
    r"\s*(MULTIPOLYGON|POLYGON|MULTILINESTRING|LINESTRING)\s*(?:ZM?|M)?\s*(.*)",
    re.DOTALL,
)
_RING = re.compile(r"\(([^()]*)\)")
_BODY = re.compile(r"[-+.\dE\s,()]*")


def read_geometry(text: str, where: str) -> dict[str, tuple]:
    """What a text covers: WKT, or the pairs `x,y,x,y,...` of one polygon.

    Returns:
        `polygons` or `lines`, as of a `Shape`; neither where the text is empty, EMPTY,
        or `POLYGON EMPTY`.

    Raises:
        DataError: a text that is neither.
    """
    text = text.strip()
    if text.upper() in ("", "EMPTY"):
        return {}
    if text[0] in "-+.0123456789":
        pairs = flat_points([v for v in text.split(",") if v.strip()], where)
        return {"polygons": (polygon_of(pairs, where),)}
    found = _KIND.fullmatch(text.upper())
    if found is None:
        raise DataError(f"{where}: {text[:60]!r} is neither WKT nor x,y,x,y,...")
    kind, body = found.group(1), found.group(2).strip()
    if body == "EMPTY":
        return {}
    is_whole = body.startswith("(") and body.count("(") == body.count(")")
    if not is_whole or not _BODY.fullmatch(body):
        raise DataError(f"{where}: damaged WKT: {text[:60]!r}.")
    if kind.endswith("LINESTRING"):
        return {"lines": tuple(_points(ring, where, 2) for ring in _RING.findall(body))}
    # Of a MULTIPOLYGON each polygon is in brackets of its own: ((ring), (ring)), (...
    bodies = re.split(r"\)\s*\)\s*,\s*\(\s*\(", body) if kind[0] == "M" else [body]
    return {
        "polygons": tuple(
            tuple(_points(ring, where, 3) for ring in _rings(polygon))
            for polygon in bodies
        )
    }


def _rings(polygon):
    return re.split(r"\)\s*,\s*\(", polygon.strip("() \t\r\n"))


def _points(text, where, least) -> np.ndarray:
    pairs = [pair.split()[:2] for pair in text.split(",") if pair.strip()]
    return points_of(pairs, where, least)

"""GeoJSON: features over an image, in pixels or in coordinates of the world (RFC 7946)."""

import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.files import open_file
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.shape import ImageShapes, Shape, points_of, polygon_of
from input_pipeline.shapes.wkt import read_geometry

# Properties that hold one polygon in pixels, `x,y,x,y,...` or WKT, or EMPTY. The part
# before the mark is the class, if no label_key is said.
IN_PIXELS = "_imcoords"

# Where a class is looked for, if no label_key is said.
_CLASS_KEYS = ("class", "class_name", "label", "category", "name", "classification")


@dataclasses.dataclass(frozen=True, eq=False)
class WorldShapes(ImageShapes):
    """Shapes in coordinates of a reference system.

    Attributes:
        crs: its name, such as 'EPSG:32633'.
    """

    crs: str = "EPSG:4326"


def is_geojson(content: Any) -> bool:
    """Whether parsed JSON is of this form."""
    return isinstance(content, dict) and isinstance(content.get("features"), list)


def read_geojson(content: Any, source: str, rules: Annotations) -> list[ImageShapes]:
    """The features of a file, in one list, which is of no image by name.

    Features with properties that end in `_imcoords` are in pixels, and of the image
    that `image_id` names.
    """
    features = content["features"]
    pixels, world = {}, []
    for place, feature in enumerate(features):
        where = f"features.{place}"
        properties = feature.get("properties") or {}
        keys = [key for key in properties if key.endswith(IN_PIXELS)]
        if keys:
            image = str(properties.get("image_id", ""))
            shapes = pixels.setdefault(image, [])
            shapes += _of_pixels(properties, keys, where, source, rules)
            continue
        found = _geometry(feature.get("geometry"), f"{source}: {where}")
        if found:
            name = _class_of(properties, rules)
            world.append(Shape(where, name, **found))
    if pixels and world:
        raise DataError(
            f"{source}: some features have {IN_PIXELS}, and others have none."
        )
    if pixels:
        return [ImageShapes(name, tuple(s)) for name, s in pixels.items()]
    crs = (content.get("crs") or {}).get("properties", {}).get("name")
    crs = _short(crs, source) if crs else "EPSG:4326"
    return [WorldShapes("", tuple(world), covers_more=True, crs=crs)]


def _of_pixels(properties, keys, where, source, rules):
    shapes = []
    for key in keys:
        found = read_geometry(str(properties[key]), f"{source}: {where}.{key}")
        if found:
            name = key.removesuffix(IN_PIXELS)
            if rules.label_key:
                name = _class_of(properties, rules)
            shapes.append(Shape(f"{where}.{key}", name, **found))
    return shapes


def _class_of(properties, rules):
    keys = [rules.label_key] if rules.label_key else _CLASS_KEYS
    value = next((properties[key] for key in keys if key in properties), None)
    if isinstance(value, dict):  # QuPath's {"name": ..., "color": ...}
        value = value.get("name")
    return None if value is None else str(value)


def _geometry(geometry, at):
    if not geometry:
        return {}
    kind, places = geometry["type"], geometry.get("coordinates") or []
    if kind == "Polygon":
        return {"polygons": _polygons([places], at)} if places else {}
    if kind == "MultiPolygon":
        return {"polygons": _polygons(places, at)} if places else {}
    if kind == "LineString":
        return {"lines": (points_of(places, at, 2),)}
    if kind == "MultiLineString":
        return {"lines": tuple(points_of(line, at, 2) for line in places)}
    if kind == "Point":
        return {"lines": (points_of([places], at),)}
    raise DataError(f"{at}: a geometry of the type {kind!r} is not known.")


def _polygons(places, at):
    return tuple(polygon_of(rings[0], at, rings[1:]) for rings in places)


def _short(name, source):
    """EPSG:n of urn:ogc:def:crs:EPSG::n; CRS84 is EPSG:4326 with the longitude first."""
    code = str(name).rsplit(":", 1)[-1]
    if code == "CRS84":
        return "EPSG:4326"
    if "EPSG" not in str(name).upper() or not code.isdecimal():
        raise DataError(f"{source}: the reference system {name!r:.60} is not known.")
    return f"EPSG:{code}"


def to_pixels(image: ImageShapes, path: str) -> ImageShapes:
    """Shapes in pixels of an image file.

    Args:
        image: shapes; those that are in pixels are returned as they are.
        path: the image. One without a georeference (GeoTIFF) has its own pixels for
            coordinates.

    Raises:
        DataError: a GeoTIFF, if rasterio is not installed or cannot read it.
    """
    if not isinstance(image, WorldShapes) or not _is_georeferenced(path):
        return image
    try:
        import rasterio
        import rasterio.errors
        import rasterio.warp
    except ImportError as error:
        raise DataError(
            f"{path}: GeoJSON over a GeoTIFF needs rasterio: pip install 'jaxseg[geo]'."
        ) from error
    try:
        with rasterio.open(path, driver="GTiff") as raster:
            inverse, crs = ~raster.transform, raster.crs
        if crs is None:
            raise DataError(f"{path}: the GeoTIFF does not say its reference system.")

        def convert(points):
            x, y = points[:, 0], points[:, 1]
            if crs != rasterio.crs.CRS.from_string(image.crs):
                moved = rasterio.warp.transform(image.crs, crs, x, y)
                x, y = (np.asarray(values) for values in moved)
            column = inverse.a * x + inverse.b * y + inverse.c
            row = inverse.d * x + inverse.e * y + inverse.f
            return np.stack([column, row], 1)

        shapes = tuple(_converted(shape, convert, path) for shape in image.shapes)
    except rasterio.errors.RasterioError as error:
        raise DataError(f"{path}: rasterio cannot read it ({error}).") from error
    return ImageShapes(image.image, shapes, image.size, covers_more=True)


def _converted(shape: Shape, convert: Callable, path: str) -> Shape:
    def checked(points):
        # A place far away may have no coordinates in another system.
        return points_of(np.nan_to_num(convert(points), posinf=1e7, neginf=-1e7), at)

    at = f"{path}: {shape.where}"
    polygons = tuple(tuple(checked(r) for r in rings) for rings in shape.polygons)
    lines = tuple(checked(points) for points in shape.lines)
    return dataclasses.replace(shape, polygons=polygons, lines=lines)


# ModelPixelScale and ModelTransformation: one of them makes a TIFF a GeoTIFF.
_GEO_TAGS = (33550, 34264)


def _is_georeferenced(path):
    if not os.fspath(path).lower().endswith((".tif", ".tiff")):
        return False
    import tifffile  # here, since most data sets have no use for it

    try:
        open_file(path).close()  # a regular file, so that nothing is waited for
        with tifffile.TiffFile(path) as tiff:
            return any(tag in tiff.pages[0].tags for tag in _GEO_TAGS)
    except DataError:
        raise
    except (tifffile.TiffFileError, ValueError, IndexError, OSError) as error:
        raise DataError(f"{path}: a damaged TIFF ({error}).") from error

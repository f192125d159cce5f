"""Every annotation format, of one scene that is drawn by hand."""

import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets import BaseSegDataset
from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.read import read_annotations
from input_pipeline.shapes.rle import brush_runs, runs_to_mask
from input_pipeline.transforms import LoadAnnotations, LoadImageFromFile

# . nothing, r a roof of 4x4, h its courtyard (a hole), t a tree in front of it
SCENE = """
..........
.rrrr.....
.rhhr.....
.rhtttt...
.rrtttt...
...tttt...
"""
WITH_HOLE = np.array(
    [[".rht".index(c) for c in row] for row in SCENE.split()], np.uint8
)
CLASSES = {"classes": ["background", "roof", "tree"]}
SCENE_CLASSES = np.array([0, 1, 0, 2], np.uint8)[WITH_HOLE]
# Of a format without holes.
FILLED_CLASSES = np.array([0, 1, 1, 2], np.uint8)[WITH_HOLE]
ROOF = [[1, 1], [5, 1], [5, 5], [1, 5]]
COURT = [[2, 2], [4, 2], [4, 4], [2, 4]]
TREE = [[3, 3], [7, 3], [7, 6], [3, 6]]
FLAT = {n: np.ravel(p).tolist() for n, p in (("roof", ROOF), ("tree", TREE))}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "img").mkdir()
    (tmp_path / "ann").mkdir()
    Image.new("RGB", (10, 6)).save(tmp_path / "img/a.png")
    return tmp_path


def label_of(folder, seg, suffix=".json", classes=CLASSES, **keys):
    """The label of a.png, as a training reads it."""
    dataset = BaseSegDataset(
        str(folder),
        {"img_path": "img", "seg_map_path": seg},
        img_suffix=".png",
        seg_map_suffix=suffix,
        metainfo=classes,
        pipeline=(LoadImageFromFile(), LoadAnnotations()),
        **keys,
    )
    return dataset.sample(0, np.random.default_rng(0))["gt_seg_map"]


def written(folder, content, name="ann/a.json"):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text)
    return name


def png(mask):
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, "PNG")
    return file.getvalue()


def labelme(*shapes):
    shapes = [dict(label=n, points=p, shape_type=kind) for n, p, kind in shapes]
    return dict(shapes=shapes, imagePath="a.png", imageHeight=6, imageWidth=10)


def coco(*annotations, categories=("roof", "tree"), image="a.png"):
    return dict(
        images=[dict(id=7, file_name=image, height=6, width=10)],
        categories=[dict(id=i + 11, name=n) for i, n in enumerate(categories)],
        annotations=[dict(a, image_id=7, id=i) for i, a in enumerate(annotations)],
    )


def test_labelme(folder):
    shapes = ("roof", ROOF, "polygon"), ("tree", [[3, 3], [7, 6]], "rectangle")
    written(folder, labelme(*shapes))
    np.testing.assert_array_equal(label_of(folder, "ann"), FILLED_CLASSES)
    mask = labelme(("roof", [[1, 1], [4, 4]], "mask"), *shapes[1:])
    held = base64.b64encode(png(WITH_HOLE[1:5, 1:5] == 1)).decode()
    mask["shapes"][0]["mask"] = held
    written(folder, mask)
    expected = np.where((WITH_HOLE == 1) | (WITH_HOLE == 3), SCENE_CLASSES, 0)
    np.testing.assert_array_equal(label_of(folder, "ann"), expected)


def test_cityscapes_polygons(folder):
    objects = [dict(label="roof", polygon=ROOF), dict(label="tree", polygon=TREE)]
    written(folder, dict(imgHeight=6, imgWidth=10, objects=objects))
    np.testing.assert_array_equal(label_of(folder, "ann"), FILLED_CLASSES)


def test_supervisely(folder):
    roof = dict(
        classTitle="roof",
        geometryType="polygon",
        points=dict(exterior=ROOF, interior=[COURT]),
    )
    # Its upper left pixel lies at the origin.
    packed = base64.b64encode(zlib.compress(png(np.ones((3, 4), bool)))).decode()
    tree = dict(
        classTitle="tree",
        geometryType="bitmap",
        bitmap=dict(data=packed, origin=[3, 3]),
    )
    size = dict(height=6, width=10)
    written(folder, dict(size=size, objects=[roof, tree]), "ann/a.png.json")
    label = label_of(folder, "ann", ".png.json")
    np.testing.assert_array_equal(label, SCENE_CLASSES)


def test_coco_polygons_and_run_lengths(folder):
    roof = dict(category_id=11, segmentation=[FLAT["roof"]])
    plain = dict(size=[6, 10], counts=[21, 3, 3, 3, 3, 3, 3, 3, 18])
    # As pycocotools 2.0.11 encodes this mask.
    short = dict(size=[6, 10], counts="e03300000?")
    for code in ([FLAT["tree"]], plain, short):
        content = coco(roof, dict(category_id=12, segmentation=code))
        name = written(folder, content, "instances.json")
        label = label_of(folder, name)
        np.testing.assert_array_equal(label, FILLED_CLASSES)


def test_coco_panoptic(folder):
    (folder / "panoptic").mkdir()
    numbers = np.array([0, 5, 0, 70000])[WITH_HOLE]
    color = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], -1)
    Image.fromarray(color.astype(np.uint8)).save(folder / "panoptic/a.png")
    content = coco(
        dict(
            file_name="a.png",
            segments_info=[
                dict(id=5, category_id=11),
                dict(id=70000, category_id=12),
            ],
        )
    )
    written(folder, content, "panoptic.json")
    np.testing.assert_array_equal(label_of(folder, "panoptic.json"), SCENE_CLASSES)
    content["annotations"][0]["segments_info"].pop()
    written(folder, content, "panoptic.json")
    with pytest.raises(DataError, match=r"segment 70000 is not in .*panoptic.json"):
        label_of(folder, "panoptic.json")
    content["annotations"][0]["file_name"] = "../../secret.png"
    written(folder, content, "panoptic.json")
    with pytest.raises(DataError, match="leads out"):
        label_of(folder, "panoptic.json")


def test_via(folder):
    def region(kind, name, **where):
        attributes = dict(name=kind, **where)
        return dict(shape_attributes=attributes, region_attributes={"what": name})

    regions = [
        region("polygon", "roof", all_points_x=[1, 5, 5, 1], all_points_y=[1, 1, 5, 5]),
        region("rect", "tree", x=3, y=3, width=4, height=3),
    ]
    images = {"a.png123": dict(filename="a.png", size=123, regions=regions)}
    for content in (images, {"_via_img_metadata": images, "_via_settings": {}}):
        written(folder, content, "via.json")
        np.testing.assert_array_equal(label_of(folder, "via.json"), FILLED_CLASSES)
    regions[0]["region_attributes"]["other"] = "x"
    written(folder, images, "via.json")
    with pytest.raises(DataError, match="annotations.label_key"):
        label_of(folder, "via.json")
    rules = Annotations(label_key="what")
    label = label_of(folder, "via.json", annotations=rules)
    np.testing.assert_array_equal(label, FILLED_CLASSES)


CVAT = """<?xml version="1.0"?><annotations><version>1.1</version>
<image id="0" name="sub/a.png" width="10" height="6">
<box label="tree" xtl="3" ytl="3" xbr="7" ybr="6" z_order="1"/>
<polygon label="roof" points="1,1;5,1;5,5;1,5" z_order="0"/>
{more}</image></annotations>"""


def test_cvat_draws_by_z_order(folder):
    written(folder, CVAT.format(more=""), "cvat.xml")
    np.testing.assert_array_equal(label_of(folder, "cvat.xml"), FILLED_CLASSES)
    mask = '<mask label="roof" rle="1,2,1" left="8" top="0" width="2" height="2"/>'
    written(folder, CVAT.format(more=mask), "cvat.xml")
    expected = FILLED_CLASSES.copy()
    expected[[0, 1], [9, 8]] = 1
    np.testing.assert_array_equal(label_of(folder, "cvat.xml"), expected)


def test_xml_with_entities_is_refused(folder):
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
    text = CVAT.format(more="").replace("<annotations>", bomb + "<annotations>")
    with pytest.raises(DataError, match="DOCTYPE"):
        label_of(folder, written(folder, text, "cvat.xml"))
    with pytest.raises(DataError, match="no XML"):
        label_of(folder, written(folder, "<annotations><image", "cvat.xml"))


def shapes_of(folder, content, name):
    """{image: [(class, corners of its polygon or mask)]}."""
    path = str(folder / written(folder, content, name))
    return {
        one.image: [
            (s.name, s.polygons[0][0].tolist() if s.polygons else s.mask.mask.tolist())
            for s in one.shapes
        ]
        for one in read_annotations(path, Annotations())
    }


VIDEO = """<?xml version="1.0"?><annotations><version>1.1</version>
<meta><task><size>4</size><start_frame>10</start_frame><stop_frame>16</stop_frame>
<frame_filter>step=2</frame_filter>
<segments><segment><start>0</start><stop>3</stop></segment></segments>
<original_size><width>10</width><height>6</height></original_size></task></meta>
<track id="0" label="tree">
<box frame="10" outside="0" keyframe="1" xtl="3" ytl="3" xbr="7" ybr="6" z_order="1"/>
<box frame="12" outside="0" keyframe="0" xtl="4" ytl="3" xbr="8" ybr="6" z_order="1"/>
<box frame="14" outside="1" keyframe="1" xtl="4" ytl="3" xbr="8" ybr="6" z_order="1"/>
</track>
<track id="1" label="roof">
<polygon frame="10" outside="0" keyframe="1" points="1,1;5,1;5,5;1,5" z_order="0">
<attribute name="old">true</attribute></polygon>
{more}</track></annotations>"""


def test_cvat_tracks_are_drawn_in_each_of_their_frames(folder):
    found = shapes_of(folder, VIDEO.format(more=""), "video.xml")
    box = [[4, 3], [8, 3], [8, 6], [4, 6]]
    assert list(found) == [f"frame_0000{number}.PNG" for number in (10, 12, 14, 16)]
    assert [name for name, _ in found["frame_000010.PNG"]] == ["roof", "tree"]
    assert sorted(found["frame_000012.PNG"][0][1]) == sorted(map(list, box))
    assert found["frame_000014.PNG"] == found["frame_000016.PNG"] == []

    for number in (10, 12, 14, 16):
        Image.new("RGB", (10, 6)).save(folder / f"img/frame_0000{number}.png")
    (folder / "img/a.png").unlink()
    label = label_of(folder, "video.xml")
    np.testing.assert_array_equal(label, FILLED_CLASSES)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            ("{more}", '<box frame="14" xtl="1" ytl="1" xbr="2" ybr="2"/>'),
            "track 1 has no shape from frame 12 to 12, .* 'CVAT for video 1.1'",
        ),
        (("</task>", "</task><task><stop_frame>9</stop_frame></task>"), "of 2 videos"),
        (('points="1,1;5', 'points="1;5'), "track 1: frame 10"),
        (
            ("{more}", '<cuboid frame="11"/>'),
            "a cuboid covers no pixels; read are poly",
        ),
    ],
)
def test_cvat_tracks_that_are_refused(folder, change, message):
    text = VIDEO.replace(*change).replace("{more}", "")
    with pytest.raises(DataError, match=f"video.xml: .*{message}"):
        shapes_of(folder, text, "video.xml")


def via3(*regions):
    """A VIA 3 project of a.png and b.png; regions as ([kind, x, y, ...], class)."""
    select = dict(aname="what", type=4, options={"0": "roof", "1": "tree"})
    files = {
        key: dict(fid=key, fname=f"{name}.png", type=2, loc=1, src="")
        for key, name in (("1", "a"), ("2", "b"))
    }
    return dict(
        project=dict(pid="p", data_format_version="3.1.1", vid_list=["1", "2"]),
        config={},
        attribute={"1": select},
        file=files,
        view={"1": dict(fid_list=["1"]), "2": dict(fid_list=[2])},
        metadata={
            f"1_{place}": dict(vid="1", flg=0, z=[], xy=xy, av={"1": name})
            for place, (xy, name) in enumerate(regions)
        },
    )


ROOF_AND_TREE = (
    ([7, 1, 1, 5, 1, 5, 5, 1, 5], "0"),
    ([2, 3, 3, 4, 3], "1"),
    ([], "0"),  # of the whole image
)


def test_via_3(folder):
    content = via3(*ROOF_AND_TREE)
    Image.new("RGB", (10, 6)).save(folder / "img/b.png")
    written(folder, content, "via3.json")
    np.testing.assert_array_equal(label_of(folder, "via3.json"), FILLED_CLASSES)
    found = shapes_of(folder, content, "via3.json")
    assert found["b.png"] == [] and len(found["a.png"]) == 2

    # Check boxes, and text that is no option.
    attribute = content["attribute"]["1"]
    attribute["type"] = 2
    np.testing.assert_array_equal(
        label_of(folder, written(folder, content, "via3.json")), FILLED_CLASSES
    )
    attribute.update(type=1, options={})
    for key, name in (("1_0", "roof"), ("1_1", "tree")):
        content["metadata"][key]["av"]["1"] = name
    np.testing.assert_array_equal(
        label_of(folder, written(folder, content, "via3.json")), FILLED_CLASSES
    )


def test_via_3_circles_and_ellipses(folder):
    content = via3(([3, 4, 3, 2], "0"), ([4, 4, 3, 2, 1], "1"))
    circle, ellipse = (
        np.array(c) for _, c in shapes_of(folder, content, "v.json")["a.png"]
    )
    for corners, radii in ((circle, (2, 2)), (ellipse, (2, 1))):
        away = (corners - (4, 3)) / radii
        np.testing.assert_allclose((away**2).sum(1), 1)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c["metadata"]["1_0"].update(z=[2.5]), "1_0: .* frame of a video"),
        (lambda c: c["metadata"]["1_0"].update(vid="9"), "1_0: its view '9' is not in"),
        (lambda c: c["metadata"]["1_0"].update(xy=[8, 1, 2]), "1_0: .* VIA's kind 8"),
        (lambda c: c["metadata"]["1_0"].update(xy=[7, 1, 2, 3]), "1_0: 3 coordinates"),
        (lambda c: c["view"]["1"].update(fid_list=[1, 2]), "view.1: shows 2 files"),
        (lambda c: c["file"]["2"].update(type=4), "view.2: b.png is no image"),
        (
            lambda c: (
                c["attribute"]["1"].update(type=2),
                c["metadata"]["1_0"].update(av={"1": "0,1"}),
            ),
            "1_0: 2 classes are ticked",
        ),
    ],
)
def test_via_3_that_is_refused(folder, change, message):
    content = via3(*ROOF_AND_TREE)
    change(content)
    with pytest.raises(
        DataError, match=f"v.json: {message}|v.json: metadata.{message}"
    ):
        shapes_of(folder, content, "v.json")


def brush(mask):
    """Label Studio's code of a mask, every run with its values spelled out."""
    rgba = np.zeros((*mask.shape, 4), np.uint8)
    rgba[..., 3] = mask * 255
    values = rgba.ravel()
    bits = f"{values.size:032b}{7:05b}" + f"{15:04b}" * 4
    half = values.size // 2
    bits += f"000{half - 1:016b}" + "".join(f"{v:08b}" for v in values[:half])
    for value in values[half:]:
        bits += f"111{0:016b}{value:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def test_a_brush_is_held_as_its_runs():
    for rows, starts, lengths in (
        ("0110 1011", [1, 4, 6], [2, 1, 2]),
        ("1111 1111", [0], [8]),
        ("0000 0000", [], []),
    ):
        mask = np.array([[value == "1" for value in row] for row in rows.split()])
        runs = brush_runs(brush(mask), (2, 4), "it")
        np.testing.assert_array_equal(runs.starts, starts)
        np.testing.assert_array_equal(runs.lengths, lengths)
        np.testing.assert_array_equal(runs_to_mask(runs, (2, 4), "it"), mask)


def test_label_studio(folder):
    def result(kind, name, **value):
        return dict(
            type=kind,
            original_width=10,
            original_height=6,
            value=value | {kind: [name]},
        )

    def percent(points):
        return [[x * 10, y * 100 / 6] for x, y in points]

    results = [
        result("polygonlabels", "roof", points=percent(ROOF)),
        result("brushlabels", "tree", format="rle", rle=brush(SCENE_CLASSES == 2)),
        dict(type="choices", value={"choices": ["sharp"]}),
    ]
    task = dict(
        data={"image": "/data/upload/1/0123abcd-a.png"},
        annotations=[dict(result=results), dict(result=[], was_cancelled=True)],
    )
    written(folder, [task], "studio.json")
    np.testing.assert_array_equal(label_of(folder, "studio.json"), FILLED_CLASSES)
    task["annotations"].append(dict(result=results))
    written(folder, [task], "studio.json")
    with pytest.raises(DataError, match=r"2 annotations for a.png"):
        label_of(folder, "studio.json")


def test_yolo(folder):
    def line(number, points):
        return " ".join([str(number), *(f"{x / 10} {y / 6}" for x, y in points)])

    classes = {"classes": ["roof", "tree"]}
    text = f"{line(0, ROOF)}\n{line(1, TREE)}\n"
    written(folder, text, "ann/a.txt")
    rules = Annotations(background=255)
    label = label_of(folder, "ann", ".txt", classes, annotations=rules)
    np.testing.assert_array_equal(label, np.array([255, 0, 0, 1])[WITH_HOLE])
    written(folder, "", "ann/a.txt")
    label = label_of(folder, "ann", ".txt", classes, annotations=rules)
    assert (label == 255).all()
    (folder / "ann/a.txt").unlink()
    rules = Annotations(background=255, missing="background")
    label = label_of(folder, "ann", ".txt", classes, annotations=rules)
    assert (label == 255).all()
    with pytest.raises(DataError, match="1 of 1 images in .* have no label"):
        label_of(folder, "ann", ".txt", classes, annotations=Annotations(255))


def test_table_of_run_lengths(folder):
    # Columns of 6: the roof begins in column 1, row 1.
    text = "ImageId,EncodedPixels,ClassId\na,8 4 14 4 20 4 26 4,roof\n"
    written(folder, text + "a,22 3 28 3 34 3 40 3,tree\n", "rle.csv")
    np.testing.assert_array_equal(label_of(folder, "rle.csv"), FILLED_CLASSES)
    # Along the rows, one column for the image and the class, and an empty one.
    rows = "Image_Label,EncodedPixels\na.png_roof,12 4 22 4 32 4 42 4\na.png_tree,\n"
    written(folder, rows, "rle.csv")
    label = label_of(folder, "rle.csv", annotations=Annotations(rle_order="rows"))
    expected = np.zeros((6, 10), np.uint8)
    expected[1:5, 1:5] = 1
    np.testing.assert_array_equal(label, expected)


@pytest.mark.parametrize(
    "column, roof, tree",
    [
        (
            "PolygonWKT_Pix",
            "POLYGON ((1 1, 5 1, 5 5, 1 5, 1 1), (2 2, 4 2, 4 4, 2 4, 2 2))",
            "MULTIPOLYGON (((3 3, 7 3, 7 4, 3 4, 3 3)), ((3 4, 7 4, 7 6, 3 6, 3 4)))",
        ),
        ("wkt", "POLYGON Z ((1 1 0, 5 1 0, 5 5 0, 1 5 0))", "3,3,7,3,7,6,3,6"),
    ],
)
def test_table_of_polygons(folder, column, roof, tree):
    text = f'ImageId,{column},class\na,"{roof}",roof\na,"{tree}",tree\n'
    text += 'a,"POLYGON EMPTY",roof\n'
    written(folder, text, "polygons.csv")
    label = label_of(folder, "polygons.csv")
    expected = SCENE_CLASSES if column == "PolygonWKT_Pix" else FILLED_CLASSES
    np.testing.assert_array_equal(label, expected)


def test_polygons_in_image_coordinates(folder):
    text = "image_id,roof_imcoords,tree_imcoords\n"
    text += 'a.png,"1,1,5,1,5,5,1,5",EMPTY\na.png,EMPTY,"3,3,7,3,7,6,3,6"\n'
    written(folder, text, "satellite.csv")
    np.testing.assert_array_equal(label_of(folder, "satellite.csv"), FILLED_CLASSES)

    def feature(kind, roof, tree):
        properties = dict(roof_imcoords=roof, tree_imcoords=tree, image_id="a.png")
        return dict(
            type="Feature",
            properties=properties | {"type_id": kind},
            geometry=dict(type="Polygon", coordinates=[[[31.4, 30.0, 0.0]]]),
        )

    content = dict(
        type="FeatureCollection",
        features=[
            feature("1", "1,1,5,1,5,5,1,5", "EMPTY"),
            feature("2", "EMPTY", "3,3,7,3,7,6,3,6"),
        ],
    )
    written(folder, content)
    np.testing.assert_array_equal(label_of(folder, "ann"), FILLED_CLASSES)
    by_type = Annotations(label_key="type_id")
    label = label_of(folder, "ann", annotations=by_type)
    np.testing.assert_array_equal(label, FILLED_CLASSES)


def test_geojson_in_pixels(folder):
    content = dict(
        type="FeatureCollection",
        features=[
            dict(
                type="Feature",
                properties={"classification": {"name": "roof"}},
                geometry=dict(type="Polygon", coordinates=[ROOF, COURT]),
            ),
            dict(
                type="Feature",
                properties={"class": "tree"},
                geometry=dict(type="MultiPolygon", coordinates=[[TREE]]),
            ),
            dict(type="Feature", properties={"class": "tree"}, geometry=None),
        ],
    )
    written(folder, content, "ann/a.geojson")
    np.testing.assert_array_equal(label_of(folder, "ann", ".geojson"), SCENE_CLASSES)


def test_several_masks_of_classes_and_of_objects(folder):
    def save(name, mask):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / name)

    for place in ("m/a_{}.png", "n/a/{}.png", "o/{}/a.png"):
        save(place.format("roof"), FILLED_CLASSES > 0)
        save(place.format("tree"), FILLED_CLASSES == 2)
    for seg, suffix in (("m", "_*.png"), ("n", "/*.png"), ("o/*", ".png")):
        label = label_of(folder, seg, suffix)
        expected = np.where((FILLED_CLASSES > 0), 1, 0)
        expected[FILLED_CLASSES == 2] = 2
        np.testing.assert_array_equal(label, expected)
    # Objects, whose names say nothing, are all of one class.
    objects = dict(classes={"classes": ["background", "cell"]}, label_map={"*": 1})
    label = label_of(folder, "n", "/*.png", **objects)
    np.testing.assert_array_equal(label, expected > 0)
    save("m/b_tree.png", FILLED_CLASSES == 2)
    with pytest.raises(DataError, match=r"1 masks are of no image:\n  b_tree.png"):
        label_of(folder, "m", "_*.png")
    grey = np.arange(60, dtype=np.uint8).reshape(6, 10)
    Image.fromarray(grey).save(folder / "n/a/tree.png")
    with pytest.raises(DataError, match=r"tree.png: .* two values.* has 60"):
        label_of(folder, "n", "/*.png")


def flat(points):
    return [number for point in points for number in point]


def _studio(points):
    drawn = dict(type="polygonlabels", original_width=10, original_height=6)
    drawn["value"] = dict(polygonlabels=["roof"], points=points)
    return [dict(data={"image": "a.png"}, annotations=[dict(result=[drawn])])]


def _cvat(points):
    corners = ";".join(f"{x},{y}" for x, y in points)
    return (
        '<annotations><image name="a.png" width="10" height="6">'
        f'<polygon label="roof" points="{corners}"/></image></annotations>'
    )


def _geojson(points):
    geometry = dict(type="Polygon", coordinates=[points])
    feature = dict(type="Feature", properties={"class": "roof"}, geometry=geometry)
    return dict(type="FeatureCollection", features=[feature])


def _wkt(points):
    corners = ", ".join(f"{x} {y}" for x, y in points)
    return f'ImageId,wkt,class\na,"POLYGON (({corners}))",roof\n'


@pytest.mark.parametrize("points", [[], [[1, 1], [5, 1]]], ids=len)
@pytest.mark.parametrize(
    "name, make, where",
    [
        ("l.json", lambda points: labelme(("roof", points, "polygon")), "shapes.0"),
        (
            "c.json",
            lambda points: coco(dict(category_id=11, segmentation=[flat(points)])),
            "annotations.0",
        ),
        ("3.json", lambda points: via3(([7, *flat(points)], "0")), "metadata.1_0"),
        ("s.json", _studio, "a.png: result.0"),
        ("g.json", _geojson, "features.0"),
        ("c.xml", _cvat, "a.png: polygon 0"),
        ("w.csv", _wkt, "row 2"),
    ],
)
def test_a_polygon_without_an_area_is_named(folder, points, name, make, where):
    message = f"{name}: {where}: a shape of {len(points)} points; it needs 3 or more"
    with pytest.raises(DataError, match=message):
        shapes_of(folder, make(points), name)

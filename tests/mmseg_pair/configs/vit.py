_base_ = [
    "./_base_/models/vit.py",
    "./_base_/datasets/shapes.py",
    "./_base_/default_runtime.py",
]

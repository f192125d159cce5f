_base_ = [
    "./_base_/models/pspnet.py",
    "./_base_/datasets/shapes.py",
    "./_base_/default_runtime.py",
]

_base_ = "./slide.py"
# The image is 127x203; windows lie over what is added to it, too.
model = dict(data_preprocessor=dict(test_cfg=dict(size=(150, 224))))

_base_ = "./bases.py"
model = dict(
    pretrained="open-mmlab://resnet50_v1c",
    backbone=dict(depth=50),
    auxiliary_head=dict(_delete_=True, type="FCNHead", in_index=2),
)
train_dataloader = dict(batch_size=2, dataset=dict(data_prefix=dict(img_path="rgb")))

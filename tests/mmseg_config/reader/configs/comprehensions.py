_base_ = "_base_/schedule.py"
depths = [2, 2, 6, 2]
multi = dict(lr_mult=0.1, decay_mult=0.0)
custom_keys = {"backbone": dict(lr_mult=0.1, decay_mult=1.0), "absolute": multi}
custom_keys.update(
    {
        f"backbone.stages.{stage}.blocks.{block}.norm": multi
        for stage, number in enumerate(depths)
        for block in range(number)
        if block != 1
    }
)
custom_keys.update(
    {f"backbone.stages.{i}.downsample.norm": multi for i in range(len(depths) - 1)}
)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=custom_keys, norm_decay_mult=0.0),
    optimizer=dict(_delete_=True, type="AdamW", lr=0.0001, betas=(0.9, 0.999)),
)
scales = [int(512 * x * 0.1) for x in range(5, 21)]
pairs = [(h, w) for h in (32, 64) for w in (h, 2 * h) if w < 128]
squares = {n: n**2 for n in range(4)}
letters = sorted({c for c in "backbone"})
total = sum(len(name) for name in custom_keys)

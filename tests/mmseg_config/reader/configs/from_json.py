_base_ = ["_base_/runtime.json", "_base_/schedule.py"]
default_hooks = dict(logger=dict(interval=_base_.default_hooks.logger.interval * 2))

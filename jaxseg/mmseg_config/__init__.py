"""mmseg configs, unmodified, of 0.x and 1.x, in jaxseg's vocabulary."""

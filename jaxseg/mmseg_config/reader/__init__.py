"""Config reader: an mmseg config file and its bases as one dict, read as data."""

"""Data sets, transforms and the loader; knows nothing of jaxseg."""

"""Input pipeline: data sets, transforms and the loader; knows nothing of jaxseg."""

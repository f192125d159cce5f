"""Diagnosis of a data set: what `python -m jaxseg.doctor` finds before a training."""

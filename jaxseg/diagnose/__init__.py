"""What `python -m jaxseg.doctor` finds out about a data set before it is trained on."""

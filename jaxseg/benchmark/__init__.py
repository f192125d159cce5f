"""How fast a config runs here: what `scripts/benchmark.py` measures and prints."""

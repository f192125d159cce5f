"""What the benchmarks measure, and how they print it."""

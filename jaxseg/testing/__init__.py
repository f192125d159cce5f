"""Testing: comparison with reference cases."""

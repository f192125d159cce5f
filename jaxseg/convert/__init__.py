"""Parameters under PyTorch's names."""

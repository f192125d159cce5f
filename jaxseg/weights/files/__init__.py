"""Weight files: PyTorch, safetensors and NumPy, read and written without PyTorch."""

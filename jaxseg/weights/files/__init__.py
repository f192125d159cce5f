"""Files of weights: PyTorch, safetensors and NumPy, read and written without PyTorch."""

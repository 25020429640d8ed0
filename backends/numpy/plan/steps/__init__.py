"""Units made into steps: a family a file, the same families as the kernels have."""

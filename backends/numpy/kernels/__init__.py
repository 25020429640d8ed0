"""Forward and backward of every layer in plain NumPy, a family a file.

Each function stands on its own: its source, and that of the functions it calls, is copied
into the generated file (see `backends.numpy.include`).  So a module here imports nothing but
NumPy and other kernels, names are unique over the whole folder, and nothing is upcast:
float32 in, float32 out.  Arrays are [N, C, ...] with any number of spatial axes.
"""

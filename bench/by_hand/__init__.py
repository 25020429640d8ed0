"""Networks written by hand in PyTorch, as a careful person would: what generated files are measured against.

The names of their weights are those of the specs.  They are formatted with `ruff format --line-length 88`, as
the generated files are, so that lines can be counted against lines.
"""

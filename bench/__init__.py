"""Benchmarks: ratios against peers, measured side by side."""

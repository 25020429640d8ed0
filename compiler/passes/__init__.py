"""Passes: each takes a graph and gives another one.  One file each."""

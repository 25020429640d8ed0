"""The table of bad inputs, a file for each kind."""

from __future__ import annotations

from tests.contract.rows import data, names, numbers, outputs, paths, resources, text, weights

ROWS = [row for family in (text, numbers, names, resources, paths, weights, data, outputs) for row in family.ROWS]

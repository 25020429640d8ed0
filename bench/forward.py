"""One forward pass of networks of the zoo: every backend against PyTorch eager."""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
from interleave import against, show

import cnnc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=["lenet5"])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for name in given.networks:
        graph = cnnc.load(name)
        weights = cnnc.initial_weights(graph)
        rng = np.random.default_rng(0)
        inputs = {
            key: rng.standard_normal((given.batch, *value.shape)).astype(np.float32)
            for key, value in graph.inputs.items()
        }
        candidates = {
            backend: partial(cnnc.runnable(graph, backend, weights).run, inputs)
            for backend in ("torch", "numpy", "onnx")
        }
        show(f"{name}, batch {given.batch}, over torch", against("torch", candidates, given.rounds))


if __name__ == "__main__":
    main()

"""The demo, from the first command to the last."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.long
def test_the_demo_goes_the_whole_way(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "demo.py", tmp_path / "demo"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr + done.stdout
    accuracy = re.search(r"359 images .*accuracy (\d\.\d+)", done.stdout)
    assert accuracy is not None and float(accuracy[1]) >= 0.97
    assert "61,706" in done.stdout and done.stdout.count("all agree") == 2
    label = re.search(r"it is a (\d)", done.stdout)
    likeliest = re.search(r"digit\.png: (\d) ", done.stdout)
    assert label is not None and likeliest is not None and label[1] == likeliest[1]
    made = {path.name for path in (tmp_path / "demo").iterdir()}
    assert made >= {"lenet5_numpy.py", "lenet5_torch.py", "lenet5.safetensors", "lenet5.onnx", "digit.png"}

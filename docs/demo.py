"""The demo: LeNet-5 the whole way, by the commands that a user would type.

    make demo

Everything that it makes goes into the folder `demo/`, or one that is named: python docs/demo.py FOLDER
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo")

#: What a held-out fifth of the digits must reach.
ENOUGH = 0.97


def run(title: str, command: str, *, show: bool = True) -> str:
    """Run a command in the demo's folder, and stop where it fails; its standard output."""
    print(f"\n# {title}\n$ {command}", flush=True)
    words = shlex.split(command)
    # Layers as small as LeNet's gain nothing from threads, and on a busy machine lose much by them.
    one_thread = {"OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env=one_thread,
    )
    if show or done.returncode:
        print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(f"the demo stopped: `{command}` ended with {done.returncode}")
    return done.stdout


def test_image() -> tuple[str, str]:
    """An image of the held-out fifth, written as a file: its name and what it shows."""
    from PIL import Image

    import cnnc
    from cnnc.data import open_data

    data = open_data("digits", cnnc.load("lenet5"), seed=0)
    pixels, label = data.test.images.take([0])[0], int(data.test.labels[0])
    Image.fromarray(pixels[0]).save(FOLDER / "digit.png")
    return "digit.png", data.classes[label]


def main() -> None:
    begin = time.monotonic()
    FOLDER.mkdir(exist_ok=True)
    spec = run("The network, as text", "cnnc specs lenet5", show=False)
    print(spec[spec.index("## LeNet-5 as it is taught") :], end="")
    run("Is anything wrong with it?", "cnnc check lenet5")
    run("What does it cost?", "cnnc summary lenet5")
    run("As NumPy source, forward and backward", "cnnc compile lenet5 --backend numpy -o lenet5_numpy.py")
    run("As PyTorch source", "cnnc compile lenet5 --backend torch -o lenet5_torch.py")
    print("\n".join(str(FOLDER / name) for name in ("lenet5_numpy.py", "lenet5_torch.py")))
    run(
        "Training on 1,438 handwritten digits",
        "cnnc train lenet5 --data digits --seed 0 -o lenet5.safetensors",
    )
    measured = run(
        "How good is it on the fifth that was held out?",
        "cnnc eval lenet5 --weights lenet5.safetensors --data digits --seed 0",
    )
    accuracy = float(measured.split("accuracy ")[1].split()[0])
    if accuracy < ENOUGH:
        sys.exit(f"the demo stopped: an accuracy of {accuracy} is below {ENOUGH}")
    run(
        "An ONNX file, checked and compared before it is there",
        "cnnc export lenet5 --weights lenet5.safetensors -o lenet5.onnx",
    )
    run("Do the three backends compute the same?", "cnnc verify lenet5 --weights lenet5.safetensors")
    image, label = test_image()
    run(
        f"What is on a test image (it is a {label}), by onnxruntime?",
        f"cnnc predict lenet5 --weights lenet5.safetensors --backend onnx --top 3 {image}",
    )
    print(f"\nAll of it took {time.monotonic() - begin:.0f} s; the files are in {FOLDER}/.")


if __name__ == "__main__":
    main()

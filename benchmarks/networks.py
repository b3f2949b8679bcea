"""What a network costs: parameters, size of its ONNX file, and the time that a prediction takes on one core.

Networks are named ARCHITECTURE/ENCODER as segmentation-models-pytorch names them. They hold random weights, which cost
what learnt ones do. They take turns, a prediction each, so that a busy moment of the machine hits all alike.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from wms_ml.export import export
from wms_ml.network import build
from wms_ml.predictor import Predictor
from wms_ml.recipe import Recipe

NETWORKS = (
    "unet/tu-tf_efficientnet_lite0",
    "fpn/tu-tf_efficientnet_lite0",
    "linknet/tu-tf_efficientnet_lite0",
    "unet/mobilenet_v2",
    "unet/resnet18",
    "unet/resnet34",
)


def exported(name: str, size: int, folder: Path) -> tuple[int, Path]:
    """Parameters of the network called `name`, and where its ONNX file is."""
    architecture, encoder = name.split("/")
    network = build(architecture, encoder)
    folder.mkdir()
    export(network, Recipe(architecture=architecture, encoder=encoder, size=size), folder)
    return sum(each.numel() for each in network.parameters()), folder / "model.onnx"


def seconds(predictor: Predictor, picture: Image.Image) -> float:
    """Seconds that one prediction takes, from the picture to its mask."""
    began = time.perf_counter()
    predictor.predict_image(picture)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="ARCHITECTURE/ENCODER")
    parser.add_argument("--size", type=int, default=Recipe().size)
    parser.add_argument("--rounds", type=int, default=21)
    given = parser.parse_args()
    noise = np.random.default_rng(0).integers(0, 256, (1280, 960, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: exported(name, given.size, Path(scratch) / str(n)) for n, name in enumerate(given.networks)}
        predictors = {name: Predictor(path, threads=1) for name, (_, path) in files.items()}
        spent: dict[str, list[float]] = {name: [] for name in files}
        for turn in range(given.rounds + 1):
            for name, predictor in predictors.items():
                taken = seconds(predictor, picture)
                if turn:  # the first warms up
                    spent[name].append(taken * 1000)
        print(f"{given.size} px, one thread, picture of 960 x 1280 pixels, {given.rounds} rounds\n")
        print("| network | parameters, million | ONNX, MB | ms a prediction | range |\n|---|---:|---:|---:|---|")
        for name, (parameters, path) in files.items():
            size, times = path.stat().st_size / 1e6, spent[name]
            extent = f"{min(times):.0f} to {max(times):.0f}"
            print(f"| {name} | {parameters / 1e6:.1f} | {size:.1f} | {median(times):.0f} | {extent} |")


if __name__ == "__main__":
    main()

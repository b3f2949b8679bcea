"""Training curves as a picture."""

import io
from typing import Any

from PIL import Image

from wms_ml.history import best_row


def draw_curves(history: list[dict[str, Any]]) -> Image.Image:
    """Loss on the left, validation Dice and IoU on the right, over epochs; the best epoch marked."""
    from matplotlib.figure import Figure  # no pyplot: it keeps global state and looks for a display

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    losses.plot(epochs, [row["loss"] for row in history], label="training")
    losses.plot(epochs, [row["validation_loss"] for row in history], label="validation")
    losses.set(xlabel="epoch", ylabel="loss")
    for name, label in (("dice", "Dice"), ("iou", "IoU")):
        scores.plot(epochs, [row[name] for row in history], label=f"validation {label}")
    best = best_row(history)
    scores.plot(best["epoch"], best["dice"], "o", color="black", label=f"best: {best['dice']:.3f}")
    scores.set(xlabel="epoch", ylim=(0, 1))
    for axes in (losses, scores):
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    return Image.open(buffer).convert("RGB")

"""Pictures and tables as Dagster metadata."""

from pathlib import Path

import dagster as dg
from PIL import Image

from wms_ml.arrays import read_image, read_mask
from wms_ml.render import contact_sheet, data_uri, overlay


def picture(image: Image.Image, caption: str) -> dg.MarkdownMetadataValue:
    """A picture that the UI shows when its metadata entry is opened."""
    return dg.MetadataValue.md(f"![{caption}]({data_uri(image)})")


def thumbnails(folder: Path, pairs: list[tuple[str, str]], count: int = 12) -> dg.MarkdownMetadataValue:
    """Evenly chosen pairs (image and mask paths below `folder`), upright, the mask outlined."""
    chosen = pairs[:: max(1, len(pairs) // count)][:count]
    cells = []
    for image, mask in chosen:
        upright = read_image(folder / image)
        cells.append((Path(image).stem, overlay(upright, truth=read_mask(folder / mask), edge=250)))
    return picture(contact_sheet(cells), "pairs with the mask outlined")

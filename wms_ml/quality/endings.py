"""What cameras, phones, annotation tools and archives write beside plain pictures, told by its ending.

For each kind there is a decision: to be converted, to be renamed, to be unpacked, or to be passed over because no
pair can be lost with it.
"""

from typing import Final

from wms_ml.arrays import SUFFIXES

CONVERTIBLE: Final = frozenset(
    [
        ".heic",
        ".heif",
        ".avif",
        ".gif",
        ".jp2",
        ".j2k",
        ".jxl",
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".orf",
        ".rw2",
        ".raf",
        ".svg",
        ".psd",
        ".xcf",
        ".pdf",
        ".eps",
        ".tga",
    ]
)
"""Pictures in formats that are not read, some of which hold layers or pages; their owners must convert them."""

RENAMABLE: Final = {
    ".jfif": ".jpg",
    ".jpe": ".jpg",
    ".jfi": ".jpg",
    ".pjpeg": ".jpg",
    ".pjp": ".jpg",
    ".mpo": ".jpg",
    ".dib": ".bmp",
}
"""Endings that browsers and cameras give to formats that are read under another."""

ARCHIVES: Final = frozenset([".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"])
"""Files that hold files; they are never opened."""

SIDE_FILES: Final = frozenset(
    [
        ".json",
        ".xml",
        ".txt",
        ".csv",
        ".tsv",
        ".yaml",
        ".yml",
        ".jsonl",
        ".md",
        ".html",
        ".log",
        ".xmp",
        ".aae",
        ".thm",
        ".ini",
        ".db",
        ".lnk",
        ".url",
        ".mov",
        ".mp4",
        ".bak",
    ]
)
"""What lies beside pictures without being one: labels of annotation tools (Labelme, CVAT, VIA, YOLO), lists and
notes, what phones and cameras write about a picture, and the film that belongs to an iPhone's live photo."""

PICTURES: Final = SUFFIXES.keys() | CONVERTIBLE | RENAMABLE.keys()
"""Endings of pictures, also of those that are refused for a reason of their own."""

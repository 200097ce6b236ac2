"""Pictures for the tests of orders."""

import io

import pytest
from PIL import Image


def draw(kind: str = "JPEG", size: tuple[int, int] = (64, 48), *, exif: bool = False) -> bytes:
    """A small picture, with a GPS position and a camera name in its EXIF if asked."""
    image = Image.new("RGB", size, (200, 30, 30))
    block = Image.Exif()
    if exif:
        block[0x0110] = "Linli Phone 9"
        block[0x0112] = 6
        block.get_ifd(0x8825).update({1: "N", 2: (23.0, 44.0, 28.0), 3: "E", 4: (114.0, 41.0, 25.0)})
    out = io.BytesIO()
    image.save(out, kind, exif=block)
    return out.getvalue()


@pytest.fixture
def jpeg() -> bytes:
    return draw()

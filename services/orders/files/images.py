"""Photos as they may be kept: recognised by content, turned upright, without EXIF, not larger than needed."""

import asyncio
import io
import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from services.chassis.errors import Problem

ACCEPTED = ("JPEG", "PNG", "WEBP")
LARGEST_PIXELS = 60_000_000
LONGEST_SIDE = 2560
JPEG_QUALITY = 88

turns = asyncio.Semaphore(2)
"""Decoding takes memory and a core: so many at a time. Taken before a connection is, so that nobody else waits."""


class NotAnImage(Problem):
    status = 422
    code = "not_an_image"
    zh = "仅支持 JPEG、PNG、WebP 图片，且不超过 6000 万像素。"
    en = "Only JPEG, PNG and WebP photos of at most 60 million pixels are accepted."


@dataclass(frozen=True, slots=True)
class CleanImage:
    content: bytes
    media_type: str
    width: int
    height: int


async def clean(content: bytes) -> CleanImage:
    """The picture drawn anew, so that nothing else that came in the file survives. Raises NotAnImage."""
    return await asyncio.to_thread(_clean, content)


def _clean(content: bytes) -> CleanImage:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a broken EXIF block is no reason to refuse the picture
            image: Image.Image = Image.open(io.BytesIO(content), formats=ACCEPTED)
            if image.width * image.height > LARGEST_PIXELS:
                raise NotAnImage
            keeps_png = image.format == "PNG"
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))  # first: a JPEG is then decoded at a fraction of its size
            image = ImageOps.exif_transpose(image)
            return _drawn_anew(image, keeps_png=keeps_png)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotAnImage from error


def _drawn_anew(image: Image.Image, *, keeps_png: bool) -> CleanImage:
    mode = "RGBA" if keeps_png and image.has_transparency_data else "RGB"
    fresh = Image.new(mode, image.size)
    fresh.paste(image.convert(mode))
    drawn = io.BytesIO()
    if keeps_png:
        fresh.save(drawn, "PNG", optimize=False)
    else:
        fresh.save(drawn, "JPEG", quality=JPEG_QUALITY)
    return CleanImage(drawn.getvalue(), "image/png" if keeps_png else "image/jpeg", *fresh.size)

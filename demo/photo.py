"""A photo as a telephone takes it: with the place it was taken at inside."""

import io

from PIL import ExifTags, Image, ImageDraw

_LATITUDE, _LONGITUDE = (23.0, 46.0, 39.0), (114.0, 40.0, 24.0)


def take_photo() -> bytes:
    """A small JPEG of a parcel on a doorstep, with camera and position in its EXIF."""
    image = Image.new("RGB", (640, 480), "#b9c4cc")
    drawing = ImageDraw.Draw(image)
    drawing.rectangle((0, 330, 640, 480), fill="#8a7a66")
    drawing.rectangle((200, 40, 440, 330), fill="#6d3b2a")
    drawing.rectangle((270, 300, 390, 400), fill="#e9e4d4")
    drawing.line([(330, 300), (330, 400)], fill="#c33", width=6)
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Phone"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: _LATITUDE,
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: _LONGITUDE,
        }
    )
    photo = io.BytesIO()
    image.save(photo, "JPEG", exif=exif)
    return photo.getvalue()


def tells_where(photo: bytes) -> bool:
    """Whether the position is in the photo."""
    return bool(Image.open(io.BytesIO(photo)).getexif().get_ifd(ExifTags.IFD.GPSInfo))


def has_exif(photo: bytes) -> bool:
    return bool(Image.open(io.BytesIO(photo)).getexif())

"""Photos: checked by content, freed of EXIF, seen only by who may see the order."""

import io
import struct
import zlib
from uuid import uuid4

import pytest
from PIL import Image

from tests.orders.conftest import draw
from tests.world import World


async def test_exif_is_gone_and_the_picture_upright(world: World) -> None:
    original = draw(size=(80, 40), exif=True)
    assert b"Linli Phone 9" in original
    stored = (await world.member.upload(original)).json()
    content = (await world.member.get(f"/v1/files/{stored['id']}")).content
    image = Image.open(io.BytesIO(content))
    assert not image.getexif()
    assert b"Linli Phone" not in content
    assert image.size == (40, 80) == (stored["width"], stored["height"]), "turned by its EXIF orientation"


@pytest.mark.parametrize(("kind", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/jpeg")])
async def test_the_kind_is_told_by_content_not_by_name(world: World, kind: str, media_type: str) -> None:
    stored = (await world.member.upload(draw(kind), name="holiday.exe")).json()
    answer = await world.member.get(f"/v1/files/{stored['id']}")
    assert answer.headers["content-type"] == media_type == stored["media_type"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def bomb() -> bytes:
    """A PNG of 30,000 × 30,000 pixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 90_001))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ\x90\x00 not a picture",
        b"<svg onload='alert(1)'/>",
        b"GIF89a",
        draw()[:60],
        b"\xff\xd8\xff" + b"x" * 99,
        bomb(),
    ],
    ids=["empty", "exe", "svg", "gif", "cut", "fake-jpeg", "bomb"],
)
async def test_what_is_no_photo_is_refused(world: World, content: bytes) -> None:
    answer = await world.member.upload(content)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_an_image")
    assert await world.fetch_value("SELECT count(*) FROM files") == 0


async def test_more_than_the_limit_is_refused(world: World) -> None:
    limit = world.settings.max_upload_bytes
    for size in (limit + 1, limit + 500_000):
        answer = await world.member.upload(b"\xff\xd8\xff" + b"x" * size)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_photo_is_its_uploaders_until_it_belongs_to_an_order(world: World, jpeg: bytes) -> None:
    photo = (await world.zhang.upload(jpeg)).json()["id"]
    readers = [
        key for key, person in world.people.items() if (await person.get(f"/v1/files/{photo}")).status_code == 200
    ]
    assert readers == ["zhang"]
    order = await world.order(file_ids=[photo])
    await world.act(order["id"], "dispatcher", "dispatch", {})
    assert (await world.member.get(f"/v1/files/{photo}")).status_code == 404, "the pool does not show whose it is"
    await world.act(order["id"], "member", "accept")
    readers = [
        key for key, person in world.people.items() if (await person.get(f"/v1/files/{photo}")).status_code == 200
    ]
    assert set(readers) == {"zhang", "member", "dispatcher", "grid_worker", "community_admin", "district_admin"}


async def test_unknown_and_foreign_photos_do_not_exist(world: World, other_world: World, jpeg: bytes) -> None:
    foreign = (await other_world.zhang.upload(jpeg)).json()["id"]
    for file_id in (foreign, str(uuid4())):
        answer = await world.zhang.get(f"/v1/files/{file_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")


async def test_a_repeated_upload_is_one_photo(world: World, jpeg: bytes) -> None:
    first = await world.member.upload(jpeg, key="offline-photo-1")
    again = await world.member.upload(jpeg, key="offline-photo-1")
    assert first.json() == again.json()
    assert await world.fetch_value("SELECT count(*) FROM files") == 1
    other = await world.member.upload(draw(size=(10, 10)), key="offline-photo-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

"""What no form sends, but somebody will: refused or dropped, never a 500."""

from uuid import uuid4

import pytest

from tests.world import World

SQUARE = '"type": "Polygon", "coordinates": [[[114.70, 23.74], [114.71, 23.74], [114.71, 23.75], [114.70, 23.74]]]'


@pytest.mark.parametrize("query", ["level=%00", "name=%00", "level=%ED%A0%80", "parent_id=%00", "cursor=%00"])
async def test_a_query_that_no_column_can_hold(world: World, query: str) -> None:
    assert (await world.zhang.client.get(f"/v1/areas?{query}")).status_code in {200, 422}


@pytest.mark.parametrize("extra", ["NaN", "Infinity", '"\\u0000"', '"\\ud800"', f'"{"x" * 900_000}"'])
async def test_a_boundary_is_stored_as_its_geometry_alone(world: World, extra: str) -> None:
    body = f'{{"crs": "wgs84", "boundary": {{{SQUARE}, "x": {extra}}}}}'
    answer = await world.district_admin.client.put(
        f"/v1/areas/{world.areas['building']}/boundary",
        content=body.encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": str(uuid4())},
    )
    assert answer.status_code in {200, 400, 413, 422}, answer.text
    stored = await world.fetch_value("SELECT boundary_original FROM areas WHERE id = $1", world.areas["building"])
    assert stored is None or len(stored) < 1000

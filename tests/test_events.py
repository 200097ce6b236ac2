"""Facts outlive the code that recorded them: an outbox may hold yesterday's when today's code starts."""

import pytest

from services.events import EVENTS

RECORDED_BEFORE = {
    "order_rated": """{
        "order_id": "01a20141-895e-77f1-bc4f-d9ea6716565f", "number": 10000438, "order_kind": "buy_medicine",
        "community_id": "018df93d-e680-75eb-8b60-37b94bd9cd23", "assignee_id": "018df93d-e680-73fb-8729-88a05602c1ab",
        "stars": 5, "solved": true, "rated_at": "2026-11-22T03:16:43.921725+00:00"
    }""",
}
"""One payload per kind as its first version wrote it. Never edited."""


@pytest.mark.parametrize("kind", EVENTS)
def test_the_first_version_of_a_fact_is_still_read(kind: str) -> None:
    assert EVENTS[kind].model_validate_json(RECORDED_BEFORE[kind]).kind == kind

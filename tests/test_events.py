"""Facts outlive the code that recorded them: an outbox may hold yesterday's when today's code starts."""

import pytest

from services.events import EVENTS

RECORDED_BEFORE = {
    "order_rated": """{
        "order_id": "01a20141-895e-77f1-bc4f-d9ea6716565f", "number": 10000438, "order_kind": "buy_medicine",
        "community_id": "018df93d-e680-75eb-8b60-37b94bd9cd23", "assignee_id": "018df93d-e680-73fb-8729-88a05602c1ab",
        "stars": 5, "solved": true, "rated_at": "2026-11-22T03:16:43.921725+00:00"
    }""",
    "ledger_head_published": """{
        "published_on": "2026-11-22", "position": 1204,
        "hash": "9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015"
    }""",
    "order_clock_warned": """{
        "order_id": "01a20141-895e-77f1-bc4f-d9ea6716565f", "number": 10000438, "order_kind": "water_pressure",
        "community_id": "018df93d-e680-75eb-8b60-37b94bd9cd23", "assignee_id": null, "target": "dispatch", "round": 1,
        "due_at": "2026-11-23T02:30:00Z", "told_role": "dispatcher",
        "told_area_id": "018df93d-e680-75eb-8b60-37b94bd9cd23", "told_at": "2026-11-23T01:30:04Z"
    }""",
    "order_clock_missed": """{
        "order_id": "01a20141-895e-77f1-bc4f-d9ea6716565f", "number": 10000438, "order_kind": "water_pressure",
        "community_id": "018df93d-e680-75eb-8b60-37b94bd9cd23", "assignee_id": null, "target": "dispatch", "round": 1,
        "due_at": "2026-11-23T02:30:00Z", "told_role": "community_admin",
        "told_area_id": "018df93d-e680-75eb-8b60-37b94bd9cd23", "told_at": "2026-11-23T01:30:04Z"
    }""",
}
"""One payload per kind as its first version wrote it. Never edited."""


@pytest.mark.parametrize("kind", EVENTS)
def test_the_first_version_of_a_fact_is_still_read(kind: str) -> None:
    assert EVENTS[kind].model_validate_json(RECORDED_BEFORE[kind]).kind == kind

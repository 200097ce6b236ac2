"""Orders by words: Chinese without spaces, in any order, newest first."""

import unicodedata
from enum import StrEnum
from itertools import takewhile
from typing import Any
from uuid import UUID

import msgspec

from services.chassis import clock
from services.chassis.database import Database
from services.chassis.errors import Problem
from services.chassis.identity import Identity
from services.orders.orders import policy
from services.orders.orders.actions import OrderNotFound
from services.orders.orders.queries import (
    BEFORE_ALL,
    OrderView,
    answered,
    areas_by_role,
    areas_of_view,
    find_order,
    number_behind,
    number_of,
)

MOST_WORDS = 8
MOST_READ = 1_000
"""Orders read themselves: one's own, those the index does not have yet, and for a single character alone."""
FEW = 300
"""Orders of a block that are looked at without asking whose community they are of."""
SOME_COMMUNITIES = 64
"""Asked for one by one; more are asked for as the whole district."""
SEARCHED_FIELDS = ("contact_name", "address", "description")


class SearchView(StrEnum):
    """Whose orders are searched: mine, my tasks, my area's. Only those are found whose words the caller may read."""

    MINE = "mine"
    TASKS = "tasks"
    AREA = "area"


class WordsNeeded(Problem):
    status = 422
    code = "words_needed"
    zh = "请输入要查找的文字（不超过8个词）。"
    en = "Say what to look for: letters, digits or characters, at most eight words."


async def search_orders(
    database: Database,
    caller: Identity,
    *,
    words: str,
    view: SearchView | None,
    area_id: UUID | None,
    cursor: str | None,
    limit: int,
) -> bytes:
    """One page as JSON, newest first, with the places of the words. A number that was read out finds its order first.

    Raises WordsNeeded, Forbidden without a role for the view, NotFound for an area outside.
    """
    wanted = words_of(words)
    if not 0 < len(wanted) <= MOST_WORDS:
        raise WordsNeeded
    if cursor is None and (found := await _by_number(database, caller, words)) is not None:
        return found
    view = view or (SearchView.AREA if caller.areas_as(policy.OVERSEEING_ROLES) else SearchView.MINE)
    query = {
        "view": view,
        "account": caller.account_id,
        "resident": caller.resident_id,
        "areas": await areas_of_view(database, caller, OrderView(view), area_id),
        **areas_by_role(caller),
        "now": clock.now(),
        "words": words,
        "before": BEFORE_ALL if cursor is None else number_behind(cursor),
        "page_size": limit,
        "most": MOST_READ,
        "few": FEW,
        "some_communities": SOME_COMMUNITIES,
    }
    page: dict[str, Any] = msgspec.json.decode(await answered(database, caller, "order_search", query))
    for item in page["items"]:
        item["highlights"] = [
            {"field": field, "from": start, "to": end}
            for field in SEARCHED_FIELDS
            for start, end in places(item["details"][field], wanted)
        ]
    return msgspec.json.encode(page)


async def _by_number(database: Database, caller: Identity, words: str) -> bytes | None:
    """The page with the order whose number was read out, if the words are one and the caller may read the order."""
    try:
        number = number_of(words)
        async with database.hot_transaction(caller.tenant_id) as connection:
            order = await find_order(connection, caller, number=number)
    except OrderNotFound:
        return None
    if not policy.sees_details(order.facts):
        return None
    item = {**msgspec.json.decode(order.row["body"]), "highlights": []}
    return msgspec.json.encode({"items": [item], "next_cursor": None})


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: one width, small letters, parted by whatever is neither letter nor
    digit. `order_searched` does the same in SQL, and decides.
    """
    plain = unicodedata.normalize("NFKC", text).lower()
    return "".join(letter if _is_word(letter) else " " for letter in plain).split()


def places(text: str, words: list[str]) -> list[tuple[int, int]]:
    """Where the words stand in the text, [from, to) in characters, in order and without overlaps."""
    letters = [_folded(letter) for letter in text]
    hit = [False] * len(letters)
    for word in words:
        for start in range(len(letters) - len(word) + 1):
            if "".join(letters[start : start + len(word)]) == word:
                hit[start : start + len(word)] = [True] * len(word)
    found: list[tuple[int, int]] = []
    place = 0
    while place < len(hit):
        run = sum(1 for _ in takewhile(bool, hit[place:]))
        if run:
            found.append((place, place + run))
        place += run or 1
    return found


def _folded(letter: str) -> str:
    """One character for each, so that places stay places."""
    plain = unicodedata.normalize("NFKC", letter).lower()
    return plain if len(plain) == 1 else letter


def _is_word(letter: str) -> bool:
    """As the character class of `order_searched` has it."""
    code = ord(letter)
    if code < 0xC0:
        return letter.isascii() and letter.isalnum()
    return not (
        0x2000 <= code <= 0x206F or 0x3000 <= code <= 0x303F or 0xFE30 <= code <= 0xFE4F or 0xFF00 <= code <= 0xFFEF
    )

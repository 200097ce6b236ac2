"""Names people of the demo district could have, and telephone numbers nobody has."""

import tomllib
from bisect import bisect
from itertools import accumulate
from pathlib import Path
from random import Random

from models.grid import Sex

NAMES_FILE = Path(__file__).parent / "data" / "names.toml"

_names = tomllib.loads(NAMES_FILE.read_text(encoding="utf-8"))
_SURNAMES: list[str] = list(_names["surnames"])
_CUMULATED = list(accumulate(_names["surnames"].values()))
_GIVEN_NAMES: dict[Sex, dict[int, list[str]]] = {
    sex: {int(year): names.split() for year, names in _names[sex.name.lower()].items()}
    for sex in (Sex.MALE, Sex.FEMALE)
}
_FASHIONS = sorted(_GIVEN_NAMES[Sex.MALE])

_UNISSUED_PREFIXES = ["160", "161", "163", "164", "168", "169"]
"""Ranges with the form of a mobile number that no operator issues: nobody is rung by a demo."""


def pick_surname(random: Random) -> str:
    return random.choices(_SURNAMES, cum_weights=_CUMULATED)[0]


def pick_given_name(random: Random, sex: Sex, birth_year: int) -> str:
    """A given name as it was in fashion when somebody was born."""
    fashion = _FASHIONS[max(0, bisect(_FASHIONS, birth_year) - 1)]
    return random.choice(_GIVEN_NAMES[sex][fashion])


def pick_mobile_number(random: Random) -> str:
    return f"{random.choice(_UNISSUED_PREFIXES)}{random.randrange(10**8):08}"

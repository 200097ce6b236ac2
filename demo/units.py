"""The units of the demo district: property companies, a volunteer team, and the departments behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from uuid import UUID

from demo.accounts import Account
from demo.ids import fixed_id
from demo.names import pick_given_name, pick_mobile_number, pick_surname
from demo.places import Place, Places
from models.grid import Sex
from models.orders import UnitKind

TEAM, TEAM_SIZE = "邻里守望志愿服务队", 14
HOUSING_BUREAU = "源城区住房和城乡建设局"
STREET_OFFICE = "源西街道综合行政执法办公室"
TECHNICIANS = 2
"""Of every property company, besides the account of the company itself."""


@dataclass(frozen=True)
class Unit:
    """A unit, and those who accept for it. The first of them leads it."""

    kind: UnitKind
    name: str
    area: Place
    phone: str
    members: Sequence[Account]

    @property
    def id(self) -> UUID:
        return fixed_id("unit", self.name)

    @property
    def leader(self) -> Account:
        return self.members[0]

    @property
    def workers(self) -> Sequence[Account]:
        """Those who go out."""
        return self.members[1:] or self.members


def form_units(
    places: Places, companies: Sequence[Account], volunteers: Sequence[Account]
) -> tuple[list[Unit], list[Account]]:
    """The units, and the accounts of those who have one because they work for a unit."""
    return _Forming(places).units(companies, volunteers)


class _Forming:
    """Draws on chance of its own: nobody else is called differently because a unit was added."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._random = Random("linli-demo:units")
        self._newcomers: list[Account] = []

    def units(self, companies: Sequence[Account], volunteers: Sequence[Account]) -> tuple[list[Unit], list[Account]]:
        community = self._places.community
        subdistrict = community.parent
        assert subdistrict is not None
        formed = [self._company(company) for company in companies]
        formed.append(self._unit(UnitKind.TEAM, TEAM, community, volunteers[:TEAM_SIZE]))
        formed.append(self._department(HOUSING_BUREAU, self._places.district, "housing-bureau"))
        formed.append(self._department(STREET_OFFICE, subdistrict, "street-office"))
        return formed, self._newcomers

    def _company(self, company: Account) -> Unit:
        technicians = [self._newcomer(f"{company.key}-technician-{number}") for number in range(1, TECHNICIANS + 1)]
        return self._unit(UnitKind.ORGANIZATION, company.name, self._places.community, [company, *technicians])

    def _department(self, name: str, area: Place, key: str) -> Unit:
        officials = [self._newcomer(f"{key}-{number}") for number in (1, 2)]
        return self._unit(UnitKind.DEPARTMENT, name, area, officials)

    def _unit(self, kind: UnitKind, name: str, area: Place, members: Sequence[Account]) -> Unit:
        return Unit(kind, name, area, pick_mobile_number(self._random), members)

    def _newcomer(self, key: str) -> Account:
        sex, birth_year = self._random.choice([Sex.MALE, Sex.FEMALE]), self._random.randint(1970, 1998)
        account = Account(key, pick_surname(self._random) + pick_given_name(self._random, sex, birth_year))
        self._newcomers.append(account)
        return account

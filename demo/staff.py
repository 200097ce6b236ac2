"""Who may do what in the demo district: accounts, grants with their terms, posts that answer for a household, units."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from uuid import UUID

from demo.accounts import Account
from demo.ids import FOUNDED_AT, fixed_id
from demo.names import pick_given_name, pick_mobile_number, pick_surname
from demo.people import People, Person, with_accounts
from demo.personas import PERSONAS
from demo.places import Place, Places
from demo.units import Unit, form_units
from models.grid import PostKind, Sex
from models.identity import Role
from services.chassis.clock import SHANGHAI

RESIDENTS_WITH_ACCOUNTS = 260
"""Residents who signed up and hold no grant, the personas among them not counted."""
MEMBERS_LIVING_HERE, MEMBERS_FROM_ELSEWHERE = 44, 14
"""Registered members of the community, the two personas not counted."""
VOLUNTEERS = 36

_COMPANIES = {
    "company-1": ("万隆物业服务中心", ["万隆一品小区", "锦绣苑"]),
    "company-2": ("槎城物业管理公司", ["槎城新苑", "康乐花园", "福源居"]),
    "company-3": ("永安物业服务部", ["永安花园", "文昌苑"]),
}
"""翠园新村, 建设小区 and 粮食局宿舍 have no property company."""


@dataclass(frozen=True, slots=True)
class Grant:
    account: Account
    role: Role
    area: Place
    valid_from: datetime
    valid_to: datetime | None

    @property
    def id(self) -> UUID:
        return fixed_id("grant", f"{self.account.key}-{self.role}-{self.area.code}-{self.valid_from:%Y%m%d}")


@dataclass(frozen=True, slots=True)
class Post:
    area: Place
    kind: PostKind
    holder_name: str
    duty_phone: str | None
    account_id: UUID | None
    valid_from: date
    valid_to: date | None = None

    @property
    def id(self) -> UUID:
        return fixed_id("post", f"{self.area.code}-{self.kind}-{self.valid_from:%Y%m%d}")


@dataclass
class Staff:
    """Accounts and what they may do. Those who help are listed by what they help with."""

    people: People
    """The register, with the accounts of those who signed up."""
    accounts: list[Account] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    dispatchers: list[Account] = field(default_factory=list)
    helpers: list[Account] = field(default_factory=list)
    grid_worker_of: dict[str, Account] = field(default_factory=dict)
    """By the code of the compound."""
    company_of: dict[str, Account] = field(default_factory=dict)
    """By the code of the compound; some have none."""
    units: list[Unit] = field(default_factory=list)

    def unit(self, name: str) -> Unit:
        """The unit of this name."""
        return next(unit for unit in self.units if unit.name == name)


def build_staff(places: Places, people: People, today: date) -> Staff:
    """Sign up residents, then hand out grants and posts. Terms that run began last year, for three years."""
    return _Appointing(places, people, today).staff()


class _Appointing:
    def __init__(self, places: Places, people: People, today: date) -> None:
        self._places = places
        self._random = Random("linli-demo:staff")
        self._terms: dict[str, tuple[datetime, datetime | None]] = {
            "open": (FOUNDED_AT, None),
            "running": (_new_year(today.year - 1), _new_year(today.year + 2)),
            "ended": (FOUNDED_AT, _new_year(2026)),
        }
        self._personas = {persona.key: Account(persona.key, persona.name) for persona in PERSONAS}
        self._residents = _accounts_of_residents(people, self._random)
        keys = {person.key: account.id for person, account in self._residents}
        self._staff = Staff(with_accounts(people, keys))

    def staff(self) -> Staff:
        staff = self._staff
        staff.accounts = [*self._personas.values(), *(account for _, account in self._residents)]
        self._appoint_officers()
        self._appoint_grid_workers()
        self._appoint_companies()
        self._appoint_helpers()
        staff.posts = [*self._compound_posts(), *self._building_posts()]
        self._form_units()
        return staff

    def _grant(self, account: Account, role: Role, area: Place, *, term: str = "open") -> None:
        """`term`: "open" runs without end, "running" is three years with an end to come, "ended" is over."""
        starts_at, ends_at = self._terms[term]
        self._staff.grants.append(Grant(account, role, area, starts_at, ends_at))

    def _newcomer(self, key: str) -> Account:
        """Somebody who works here and lives elsewhere."""
        sex = self._random.choice([Sex.MALE, Sex.FEMALE])
        birth_year = self._random.randint(1972, 1999)
        account = Account(key, pick_surname(self._random) + pick_given_name(self._random, sex, birth_year))
        self._staff.accounts.append(account)
        return account

    def _appoint_officers(self) -> None:
        district, community = self._places.district, self._places.community
        second = self._newcomer("dispatcher-2")
        former = self._newcomer("dispatcher-3")
        self._staff.dispatchers = [self._personas["dispatcher"], second]
        self._grant(self._personas["dispatcher"], Role.DISPATCHER, community)
        self._grant(second, Role.DISPATCHER, community, term="running")
        self._grant(former, Role.DISPATCHER, community, term="ended")
        self._grant(self._personas["community_admin"], Role.COMMUNITY_ADMIN, community, term="running")
        self._grant(self._newcomer("community-admin-2"), Role.COMMUNITY_ADMIN, community, term="running")
        self._grant(self._personas["district_admin"], Role.DISTRICT_ADMIN, district)
        self._grant(self._personas["deputy_admin"], Role.DISTRICT_ADMIN, district)
        self._grant(self._personas["points_clerk"], Role.POINTS_CLERK, community)

    def _appoint_grid_workers(self) -> None:
        for number, compound in enumerate(self._places.compounds, start=1):
            worker = self._personas["grid_worker"] if number == 1 else self._newcomer(f"grid-worker-{number}")
            self._staff.grid_worker_of[compound.code] = worker
            self._grant(worker, Role.GRID_WORKER, compound)

    def _appoint_companies(self) -> None:
        for key, (name, compounds) in _COMPANIES.items():
            company = Account(key, name)
            self._staff.accounts.append(company)
            for compound in map(self._places.named, compounds):
                self._staff.company_of[compound.code] = company
                self._grant(company, Role.PROPERTY_COMPANY, compound, term="running")

    def _appoint_helpers(self) -> None:
        """Members and volunteers; two members have moved away and their term is over."""
        here = [account for _, account in self._residents]
        members = [self._personas["member"], self._personas["second_member"], *here[:MEMBERS_LIVING_HERE]]
        members += [self._newcomer(f"member-{number}") for number in range(1, MEMBERS_FROM_ELSEWHERE + 1)]
        volunteers = here[MEMBERS_LIVING_HERE : MEMBERS_LIVING_HERE + VOLUNTEERS]
        for number, member in enumerate(members):
            term = "ended" if number in {20, 40} else "running"
            self._grant(member, Role.MEMBER, self._places.community, term=term)
        for volunteer in volunteers:
            self._grant(volunteer, Role.VOLUNTEER, self._places.community)
        former = {members[20], members[40]}
        self._staff.helpers = [helper for helper in members + volunteers if helper not in former]

    def _form_units(self) -> None:
        companies = list(dict.fromkeys(self._staff.company_of.values()))
        serving = set(self._staff.helpers)
        volunteers = [g.account for g in self._staff.grants if g.role is Role.VOLUNTEER and g.account in serving]
        self._staff.units, newcomers = form_units(self._places, companies, volunteers)
        self._staff.accounts += newcomers

    def _compound_posts(self) -> Iterator[Post]:
        """The chain of every compound. Some posts are vacant: never held, or held until the end of last year."""
        random = self._random
        leaders = [self._newcomer(f"guarantor-leader-{number}") for number in range(1, 4)]
        cadres = [self._newcomer(f"guarantor-cadre-{number}") for number in range(1, 5)]
        for number, compound in enumerate(self._places.compounds):
            worker = self._staff.grid_worker_of[compound.code]
            cadre = cadres[number % len(cadres)]
            yield self._held_by(leaders[number % len(leaders)], compound, PostKind.GUARANTOR_LEADER)
            if compound.name != "建设小区":
                yield self._held_by(cadre, compound, PostKind.GUARANTOR_CADRE)
            yield self._held_by(worker, compound, PostKind.RESPONSIBLE_PERSON)
            has_left = compound.name == "锦绣苑"
            yield self._held_by(self._newcomer(f"grid-leader-{number + 1}"), compound, PostKind.GRID_LEADER, has_left)
            if compound.name not in {"粮食局宿舍", "文昌苑"}:
                neighbours = [person for person, _ in self._residents if self._lives_in(person, compound)]
                yield self._held_by_resident(random.choice(neighbours), compound, PostKind.PARTY_GROUP_LEADER)

    def _building_posts(self) -> Iterator[Post]:
        """Building leaders live in their building. About one building in seven has none, Mr Zhang's has one."""
        zhangs = self._staff.people.home_of["zhang"].building
        for building in self._places.buildings:
            candidates = [
                person
                for home in self._staff.people.homes
                if home.building is building
                for person in home.residents
                if 35 <= person.age <= 74 and person.phone
            ]
            is_vacant = self._random.random() < 0.14 and building is not zhangs
            if not is_vacant:
                yield self._held_by_resident(self._random.choice(candidates), building, PostKind.BUILDING_LEADER)

    def _held_by(self, holder: Account, area: Place, kind: PostKind, has_left: bool = False) -> Post:
        left_on = date(2025, 12, 31) if has_left else None
        phone = pick_mobile_number(self._random)
        return Post(area, kind, holder.name, phone, holder.id, FOUNDED_AT.date(), left_on)

    def _held_by_resident(self, holder: Person, area: Place, kind: PostKind) -> Post:
        """A neighbour's post has no duty phone unless they keep a second number for it: their own stays private."""
        phone = pick_mobile_number(self._random) if self._random.random() < 0.6 else None
        return Post(area, kind, holder.name, phone, holder.account_id, FOUNDED_AT.date())

    def _lives_in(self, person: Person, compound: Place) -> bool:
        return self._staff.people.home_of[person.key].compound is compound


def _accounts_of_residents(people: People, random: Random) -> list[tuple[Person, Account]]:
    """Residents who signed up, in random order: those who will be members and volunteers come first."""
    count = MEMBERS_LIVING_HERE + VOLUNTEERS + RESIDENTS_WITH_ACCOUNTS
    candidates = [person for person in people.adults() if person.account_id is None and person.phone]
    chosen = random.sample(candidates, count)
    return [(person, Account(f"resident-{number}", person.name)) for number, person in enumerate(chosen, start=1)]


def _new_year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=SHANGHAI)

"""The accounts of the demo district."""

from dataclasses import dataclass
from uuid import UUID

from demo.personas import account_id_of


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the demo district. `key` makes its id and its openid."""

    key: str
    name: str

    @property
    def id(self) -> UUID:
        return account_id_of(self.key)

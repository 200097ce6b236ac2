"""Points under many hands, through the public API of the running product."""

from tests.bank import CLIENTS, open_bank
from tests.world import World


async def test_a_bank_of_eight_accounts_and_twenty_clients(world: World) -> None:
    """Nothing goes wrong here: every request is answered, and every read of all balances is whole."""
    bank = await open_bank(world, seed=1)
    await bank.run_for(seconds=4)
    assert all(wish.status is not None for wish in bank.wishes)
    assert bank.reads["unanswered"] == 0
    assert len(bank.wishes) > CLIENTS
    await bank.settle()

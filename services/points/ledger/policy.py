"""Who may do what with points. `ledger_refusal` in SQL refuses by the same rules what a clerk may not post."""

from models.identity import Role

ISSUING_ROLES = frozenset({Role.POINTS_CLERK})
"""Post, hold and take back points of the communities in their areas."""
AUDITING_ROLES = frozenset({Role.POINTS_CLERK, Role.COMMUNITY_ADMIN, Role.DISTRICT_ADMIN})
"""Read the accounts of the people of their areas, and what the communities there have issued."""
RULING_ROLES = frozenset({Role.DISTRICT_ADMIN})
"""Decide the rules of the books."""

"""Who may do what with accounts."""

from models.identity import Role

OPENING_ROLES = frozenset({Role.POINTS_CLERK})
"""Open accounts of merchants and escrows of the communities in their areas."""
FREEZING_ROLES = frozenset({Role.POINTS_CLERK, Role.COMMUNITY_ADMIN, Role.DISTRICT_ADMIN})
"""Freeze and close accounts of the people and merchants of their areas, never their own."""

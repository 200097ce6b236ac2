"""Who may do what with earning rules, certifications, proposals and anomalies."""

from models.identity import Role

DRAFTING_ROLES = frozenset({Role.DISTRICT_ADMIN})
"""Over the whole district: draft and simulate rules, which hold everywhere in it."""
ACTIVATING_ROLES = frozenset({Role.DISTRICT_ADMIN, Role.COMMUNITY_ADMIN, Role.POINTS_CLERK})
"""Over the whole district: activate what somebody else has drafted and simulated."""
CERTIFYING_ROLES = frozenset({Role.POINTS_CLERK})
"""Certify service, and propose credits, of the communities in their areas."""
DECIDING_ROLES = frozenset({Role.POINTS_CLERK, Role.COMMUNITY_ADMIN})
"""Decide what another has proposed there."""
AUDITING_ROLES = frozenset({Role.POINTS_CLERK, Role.COMMUNITY_ADMIN, Role.DISTRICT_ADMIN})
"""Look at the anomalies of their areas."""

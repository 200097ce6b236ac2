"""Makes the pair of tokens a session answers with."""

from datetime import datetime, timedelta

from models.identity import Session
from services.chassis.tokens import Claims
from services.identity.tokens.keys import SigningKeys
from services.identity.tokens.refresh_tokens import RefreshSecret, RefreshToken
from services.identity.tokens.schemas import IssuedTokens

ACCESS_TOKEN_LIFETIME = timedelta(minutes=15)


class TokenIssuer:
    """Signing keys and refresh secret together. Issuing again for an unchanged session repeats its refresh token."""

    def __init__(self, keys: SigningKeys, refresh_secret: RefreshSecret) -> None:
        self.keys = keys
        self.refresh_secret = refresh_secret

    def issue(self, session: Session, *, moment: datetime) -> IssuedTokens:
        expires_at = min(moment + ACCESS_TOKEN_LIFETIME, session.expires_at)
        claims = Claims(session.account_id, session.tenant_id, session.id, expires_at.timestamp())
        return IssuedTokens(
            access_token=self.keys.sign(claims, issued_at=moment),
            expires_in=_seconds(expires_at - moment),
            refresh_token=self.refresh_secret.write(RefreshToken(session.id, session.generation)),
            refresh_expires_in=_seconds(session.expires_at - moment),
        )


def _seconds(duration: timedelta) -> int:
    return max(0, round(duration.total_seconds()))

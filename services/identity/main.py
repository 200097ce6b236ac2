"""The identity service: who people are, how they sign in, and what they may do where."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI

from services.chassis.application import create_service
from services.chassis.settings import Settings
from services.identity.accounts import endpoints as accounts
from services.identity.grants import endpoints as grants
from services.identity.own_password import endpoints as own_password
from services.identity.sign_in import endpoints as sign_in
from services.identity.sign_in.actions import Desk
from services.identity.sign_in.passwords import Passwords
from services.identity.sign_in.wechat import WechatClient
from services.identity.staff import endpoints as staff
from services.identity.tokens import endpoints as tokens
from services.identity.tokens.actions import ended_sessions
from services.identity.tokens.issuer import TokenIssuer
from services.identity.tokens.keys import SigningKeys
from services.identity.tokens.refresh_tokens import RefreshSecret


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI app. It refuses to start without signing keys or with a weak refresh secret."""
    demo = [sign_in.demo_router] if settings.demo_sign_in else []
    return create_service(
        "identity",
        settings,
        title="Linli identity",
        routers=[
            sign_in.router,
            *demo,
            tokens.router,
            tokens.sign_out_router,
            accounts.router,
            own_password.router,
            staff.router,
            staff.password_router,
            grants.router,
        ],
        resources=_resources,
        clearings=[ended_sessions(timedelta(days=settings.sessions_kept_days))],
    )


@asynccontextmanager
async def _resources(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    issuer = TokenIssuer(SigningKeys(settings.signing_keys), RefreshSecret(settings.refresh_secret.get_secret_value()))
    async with WechatClient.opened(settings) as wechat:
        desk = Desk(app.state.database, issuer, Passwords(), wechat)
        app.state.token_issuer = issuer
        app.state.desk = desk
        try:
            yield
        finally:
            desk.passwords.close()

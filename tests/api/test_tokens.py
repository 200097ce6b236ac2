"""Bad tokens stop at the gateway, except where no token is asked for."""

from tests.world import World


async def test_a_bad_token_is_refused_before_any_service_is_asked(world: World) -> None:
    answer = await world.stranger().get("/v1/orders", headers={"Authorization": "Bearer gone-stale"})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


async def test_a_stale_token_does_not_keep_anyone_from_signing_in_or_refreshing(world: World) -> None:
    """Clients send the token they have with every request, also with the one that is to bring a new one."""
    stale = {"Authorization": "Bearer gone-stale", "Idempotency-Key": "refresh-1"}
    for path, body in (
        ("/v1/sign-in/demo", {"persona": "nobody"}),
        ("/v1/tokens/refresh", {"refresh_token": "x" * 60}),
    ):
        answer = await world.stranger().post(path, json=body, headers=stale)
        assert answer.json()["code"] != "invalid_token", path
        assert 400 <= answer.status_code < 500, path

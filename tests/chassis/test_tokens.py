"""Access tokens: only what identity signed, only while it is valid, and only by keys that identity still stands by."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.chassis import clock, tokens
from services.chassis.errors import InvalidToken, ServiceUnavailable
from services.chassis.tokens import (
    FAILED_FETCH_PAUSE_SECONDS,
    KEYS_KEPT_SECONDS,
    UNKNOWN_KEY_PAUSE_SECONDS,
    Claims,
    FetchedKeys,
    OwnKeys,
    TokenVerifier,
    bearer_token,
    public_jwk,
    sign_token,
)
from tests.conftest import signing_key
from tests.world import World

KEY = signing_key("2026-11")
OTHER_KEY = signing_key("2026-12")


def claims(lifetime: timedelta = timedelta(minutes=15)) -> Claims:
    return Claims(UUID(int=1), UUID(int=2), UUID(int=3), float(int((clock.now() + lifetime).timestamp())))


def signed(key: dict[str, Any] = KEY, lifetime: timedelta = timedelta(minutes=15)) -> str:
    return sign_token(key, claims(lifetime), clock.now())


def payload(**changes: Any) -> dict[str, Any]:
    genuine = {
        "iss": "linli", "sub": str(UUID(int=1)), "tid": str(UUID(int=2)), "sid": str(UUID(int=3)),
        "iat": int(clock.now().timestamp()), "exp": int(clock.now().timestamp()) + 900,
    }  # fmt: skip
    return {name: value for name, value in {**genuine, **changes}.items() if value is not None}


def signed_payload(**changes: Any) -> str:
    return jwt.encode(payload(**changes), jwt.PyJWK(KEY, "EdDSA"), algorithm="EdDSA", headers={"kid": KEY["kid"]})


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(OwnKeys([KEY]))


class TestVerify:
    async def test_a_genuine_token_says_who(self, verifier: TokenVerifier) -> None:
        expected = claims()
        assert await verifier.verify(sign_token(KEY, expected, clock.now())) == expected

    async def test_an_expired_one_is_refused(self, verifier: TokenVerifier) -> None:
        """To the second, and also when it was verified before it expired."""
        token = signed(lifetime=timedelta(minutes=15))
        await verifier.verify(token)
        with clock.shifted(timedelta(minutes=14, seconds=58)):
            await verifier.verify(token)
        with clock.shifted(timedelta(minutes=15)), pytest.raises(InvalidToken):
            await verifier.verify(token)
        with pytest.raises(InvalidToken):
            await verifier.verify(signed(lifetime=timedelta(seconds=-1)))

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "somebody"},
            {"iss": None},
            {"exp": None},
            {"exp": "tomorrow"},
            {"exp": "NaN"},
            {"exp": float("nan")},
            {"exp": float("inf")},
            {"exp": [1]},
            {"sub": None},
            {"sub": "zhang"},
            {"tid": None},
            {"tid": ""},
            {"tid": 7},
            {"sid": None},
            {"sid": {"a": 1}},
        ],
        ids=str,
    )
    async def test_claims_that_are_none_are_refused(self, verifier: TokenVerifier, changes: dict[str, Any]) -> None:
        """Even well signed: a wrong issuer, a claim that is missing or something else."""
        with pytest.raises(InvalidToken):
            await verifier.verify(signed_payload(**changes))

    @pytest.mark.parametrize(
        "token", ["", ".", "..", "a.b.c", "é", "\N{SNOWMAN}", "a" * 10_000, "eyJhbGciOiJFZERTQSJ9.e30."]
    )
    async def test_what_is_no_token_is_refused(self, verifier: TokenVerifier, token: str) -> None:
        with pytest.raises(InvalidToken):
            await verifier.verify(token)

    async def test_a_changed_token_is_refused(self, verifier: TokenVerifier) -> None:
        """Another payload, another signature, a signature of another token."""
        header, body, signature = signed().split(".")
        _, other_body, other_signature = signed_payload(sub=str(UUID(int=9))).split(".")
        for forged in (
            f"{header}.{other_body}.{signature}",
            f"{header}.{body}.{other_signature}",
            f"{header}.{body}.",
            f"{header}.{body}.{signature[:-4]}AAAA",
        ):
            with pytest.raises(InvalidToken):
                await verifier.verify(forged)


class TestAlgorithms:
    """The token may not choose how it is verified."""

    def forged(self, header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
        content = b".".join(_part(each) for each in ({"kid": KEY["kid"], "typ": "JWT", **header}, payload()))
        return (content + b"." + base64.urlsafe_b64encode(sign(content)).rstrip(b"=")).decode()

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 7])
    async def test_an_unsigned_token_is_refused(self, verifier: TokenVerifier, algorithm: Any) -> None:
        with pytest.raises(InvalidToken):
            await verifier.verify(self.forged({"alg": algorithm}, lambda _: b""))

    @pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
    async def test_the_public_key_is_no_password(self, verifier: TokenVerifier, algorithm: str) -> None:
        """Whoever knows the published key could else sign with it as a shared secret."""
        public = jwt.PyJWK(public_jwk(KEY), "EdDSA").key
        for secret in (public.public_bytes(Encoding.Raw, PublicFormat.Raw), json.dumps(public_jwk(KEY)).encode()):
            signer = jwt.get_algorithm_by_name(algorithm)
            forged = self.forged({"alg": algorithm}, lambda content, s=signer, k=secret: s.sign(content, k))  # type: ignore[misc]
            with pytest.raises(InvalidToken):
                await verifier.verify(forged)

    @pytest.mark.parametrize(
        ("algorithm", "key"),
        [
            ("RS256", rsa.generate_private_key(65537, 2048)),
            ("ES256", ec.generate_private_key(ec.SECP256R1())),
            ("EdDSA", Ed25519PrivateKey.generate()),
        ],
        ids=["RS256", "ES256", "EdDSA"],
    )
    async def test_a_key_of_their_own_is_refused(self, verifier: TokenVerifier, algorithm: str, key: Any) -> None:
        """Under our kid, and with a `jwk` in the header that begs to be used."""
        own = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
        for extra in ({}, {"jwk": own}, {"jku": "https://attacker.example/jwks.json"}):
            forged = jwt.encode(payload(), key, algorithm, headers={"kid": KEY["kid"], **extra})
            with pytest.raises(InvalidToken):
                await verifier.verify(forged)

    @pytest.mark.parametrize("kid", ["2026-12", "", None, 7, ["2026-11"], "../2026-11"], ids=repr)
    async def test_an_unknown_key_is_refused(self, verifier: TokenVerifier, kid: Any) -> None:
        forged = self.forged({"alg": "EdDSA", "kid": kid}, jwt.PyJWK(KEY, "EdDSA").key.sign)
        with pytest.raises(InvalidToken):
            await verifier.verify(forged)

    async def test_a_header_that_demands_more_is_refused(self, verifier: TokenVerifier) -> None:
        """RFC 7515: what `crit` names must be understood."""
        forged = self.forged({"alg": "EdDSA", "crit": ["exp"]}, jwt.PyJWK(KEY, "EdDSA").key.sign)
        with pytest.raises(InvalidToken):
            await verifier.verify(forged)


def _part(content: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=")


class TestRemembering:
    async def test_is_bounded(self, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
        """A flood of tokens drops the oldest memories, it does not fill the process."""
        monkeypatch.setattr(tokens, "REMEMBERED_TOKENS", 10)
        for number in range(50):
            await verifier.verify(signed_payload(nonce=number))
        assert len(verifier._remembered) == 10

    async def test_nothing_forged_is_remembered(self, verifier: TokenVerifier) -> None:
        for number in range(10):
            with pytest.raises(InvalidToken):
                await verifier.verify(f"{signed_payload(nonce=number)}x")
        assert len(verifier._remembered) == 0

    async def test_saves_the_signature(self, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch) -> None:
        token = signed()
        await verifier.verify(token)
        monkeypatch.setattr(jwt, "decode", None)
        await verifier.verify(token)


class Identity:
    """Plays the identity service: what it publishes, how often it was asked, whether it answers."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.trouble: Exception | None = None
        self.answer: Any = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def publish(self, _url: str, _path: str) -> Any:
        self.asked += 1
        await self.may_answer.wait()
        if self.trouble is not None:
            raise self.trouble
        return self.answer or {"keys": [public_jwk(key) for key in self.keys]}


class Time:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    standing = Time()
    monkeypatch.setattr(tokens, "time", standing)
    return standing


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Identity:
    played = Identity(KEY)
    monkeypatch.setattr(tokens, "fetch_json", played.publish)
    return played


@pytest.fixture
def elsewhere(identity: Identity, time: Time) -> TokenVerifier:
    """The verifier of a process that has no keys of its own."""
    return TokenVerifier(FetchedKeys("http://identity"))


class TestFetchedKeys:
    async def test_are_asked_for_once(self, elsewhere: TokenVerifier, identity: Identity, time: Time) -> None:
        """Fifty requests at once after a start wait for one answer."""
        identity.may_answer.clear()
        requests = [asyncio.create_task(elsewhere.verify(signed_payload(nonce=number))) for number in range(50)]
        await asyncio.sleep(0)
        identity.may_answer.set()
        await asyncio.gather(*requests)
        time.now += 5
        await elsewhere.verify(signed())
        assert identity.asked == 1

    async def test_a_new_key_is_found_when_it_turns_up(
        self, elsewhere: TokenVerifier, identity: Identity, time: Time
    ) -> None:
        """Identity rotated: the first token with the unknown kid makes us look."""
        await elsewhere.verify(signed())
        identity.keys = [OTHER_KEY, KEY]
        time.now += UNKNOWN_KEY_PAUSE_SECONDS + 0.1
        await elsewhere.verify(signed(OTHER_KEY))
        assert identity.asked == 2

    async def test_made_up_kids_do_not_flood_identity(
        self, elsewhere: TokenVerifier, identity: Identity, time: Time
    ) -> None:
        """A thousand forgeries in a row cost one question in five seconds."""
        for number in range(1000):
            with pytest.raises(InvalidToken):
                await elsewhere.verify(signed(OTHER_KEY | {"kid": f"made-up-{number}"}))
            time.now += 0.01
        assert identity.asked <= 1 + 10 / UNKNOWN_KEY_PAUSE_SECONDS

    @pytest.mark.parametrize("seconds_before", [0.0, 10.0, 29.9, 30.1, 59.0])
    async def test_a_withdrawn_key_is_refused_in_time(
        self, elsewhere: TokenVerifier, identity: Identity, time: Time, seconds_before: float
    ) -> None:
        """However long before it was fetched, and however often its token is used meanwhile."""
        token = signed()
        await elsewhere.verify(token)
        time.now += seconds_before
        await elsewhere.verify(token)
        identity.keys = [OTHER_KEY]
        withdrawn_at = time.now
        while time.now < withdrawn_at + KEYS_KEPT_SECONDS - 0.5:
            time.now += 0.5
            with contextlib.suppress(InvalidToken):
                await elsewhere.verify(token)
        time.now += 0.5
        with pytest.raises(InvalidToken):
            await elsewhere.verify(token)

    async def test_a_withdrawn_key_is_refused_for_tokens_seen_late(
        self, elsewhere: TokenVerifier, identity: Identity, time: Time
    ) -> None:
        """The worst case: the key is just about to be fetched again when its token is first seen, and remembered."""
        await elsewhere.verify(signed_payload(nonce=1))
        identity.keys = [OTHER_KEY]
        withdrawn_at = time.now
        late = signed_payload(nonce=2)
        time.now += tokens.HALF_KEPT_SECONDS - 0.1
        await elsewhere.verify(late)
        time.now = withdrawn_at + KEYS_KEPT_SECONDS
        with pytest.raises(InvalidToken):
            await elsewhere.verify(late)

    @pytest.mark.parametrize(
        "trouble",
        [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow"), json.JSONDecodeError("html", "<", 0)],
        ids=repr,
    )
    async def test_nobody_is_signed_out_while_identity_is_away(
        self, elsewhere: TokenVerifier, identity: Identity, time: Time, trouble: Exception
    ) -> None:
        """Known keys are used on; about an unknown one we say 503, for we do not know."""
        await elsewhere.verify(signed())
        identity.trouble = trouble
        time.now += KEYS_KEPT_SECONDS * 10
        await elsewhere.verify(signed_payload(nonce=1))
        with pytest.raises(ServiceUnavailable):
            await elsewhere.verify(signed(OTHER_KEY))
        with pytest.raises(ServiceUnavailable):
            await elsewhere.verify(signed(OTHER_KEY))

    async def test_it_recovers_with_identity(self, elsewhere: TokenVerifier, identity: Identity, time: Time) -> None:
        """Started before identity, a service lets people in a second after identity is there."""
        identity.trouble = httpx2.ConnectError("refused")
        with pytest.raises(ServiceUnavailable):
            await elsewhere.verify(signed())
        identity.trouble = None
        time.now += FAILED_FETCH_PAUSE_SECONDS + 0.1
        await elsewhere.verify(signed())

    async def test_an_absent_identity_is_not_asked_at_every_request(
        self, elsewhere: TokenVerifier, identity: Identity, time: Time
    ) -> None:
        identity.trouble = httpx2.ConnectError("refused")
        for _ in range(100):
            with pytest.raises(ServiceUnavailable):
                await elsewhere.verify(signed())
        assert identity.asked == 1

    async def test_a_slow_identity_holds_up_nobody_known(
        self, elsewhere: TokenVerifier, identity: Identity, time: Time
    ) -> None:
        """One request asks for fresh keys; the others go on with those they have."""
        await elsewhere.verify(signed())
        time.now += tokens.HALF_KEPT_SECONDS + 1
        identity.may_answer.clear()
        asking = asyncio.create_task(elsewhere.verify(signed_payload(nonce=1)))
        await asyncio.sleep(0)
        await asyncio.wait_for(elsewhere.verify(signed_payload(nonce=2)), 1)
        identity.may_answer.set()
        await asking

    @pytest.mark.parametrize(
        "answer",
        [
            {"error": "x"},
            {"keys": None},
            {"keys": [{"kid": "a"}]},
            {"keys": [{"kty": "RSA", "n": "", "e": "", "kid": "a"}]},
            [1],
        ],
        ids=str,
    )
    async def test_nonsense_is_no_answer(
        self, elsewhere: TokenVerifier, identity: Identity, time: Time, answer: Any
    ) -> None:
        """Something else answered at identity's address: the keys we have stay."""
        await elsewhere.verify(signed())
        identity.answer = answer
        time.now += KEYS_KEPT_SECONDS * 2
        await elsewhere.verify(signed_payload(nonce=1))


class TestBearer:
    @pytest.mark.parametrize(
        ("header", "token"),
        [
            ("Bearer abc", "abc"),
            ("bearer abc", "abc"),
            ("BEARER   abc ", "abc"),
            ("", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic abc", None),
            ("Bearerabc", None),
            ("abc", None),
        ],
    )
    def test_is_read_from_the_header(self, header: str, token: str | None) -> None:
        assert bearer_token(header) == token

    def test_the_private_half_is_never_public(self) -> None:
        assert "d" not in public_jwk(KEY | {"use": "sig", "alg": "EdDSA"})
        assert KEY["d"] not in json.dumps(public_jwk(KEY))

    async def test_a_service_verifies_by_itself(self, world: World) -> None:
        """Nobody stands in front of it: genuine in, forged out, and expired out."""
        assert (await world.zhang.get("/v1/cold")).status_code == 200
        async with world.stranger() as stranger:
            for token in (signed(OTHER_KEY), f"{world.zhang.token}x"):
                answer = await stranger.get("/v1/cold", headers={"Authorization": f"Bearer {token}"})
                assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        with clock.shifted(timedelta(hours=3)):
            assert (await world.zhang.get("/v1/cold")).status_code == 401

import json
from dataclasses import replace

from benchmarks.figures import Figure, Figures, LimitFigure
from benchmarks.marks import marks
from benchmarks.options import parse_options
from benchmarks.report import as_json, as_text
from benchmarks.servers import Setup
from benchmarks.statements import Statements
from services.chassis import clock

ACCEPTED = Figure(
    work="accept",
    orders=10_000,
    setup=Setup.ALL_IN_ONE,
    clients=32,
    is_batched=True,
    rate=900.0,
    p50_ms=20.0,
    p99_ms=60.0,
    half_rate_p50_ms=2.0,
    half_rate_p99_ms=11.0,
    python_us=200.0,
    postgres_us=None,
    errors=0,
    first_error="",
    lost=0,
)
LISTED = replace(ACCEPTED, work="list", is_batched=False, rate=400.0, half_rate_p99_ms=6.0)


def figures() -> Figures:
    limits = [
        LimitFigure("accept", 10_000, "pgbench", [950.0, 1050.0]),
        LimitFigure("list", 10_000, "pgbench", [1000.0]),
        LimitFigure("list", 100_000, "pgbench", [1000.0]),
    ]
    found = [ACCEPTED, LISTED, replace(LISTED, orders=100_000, rate=380.0), replace(LISTED, setup=Setup.SERVICE)]
    counted = {"place": Statements(1.0, 17.0), "triage": Statements(1.5, 16.0), "dispatch": Statements(1.0, 17.0)}
    return Figures(limits, found, counted)


class TestMarks:
    def test_say_what_was_reached_and_whether_it_suffices(self) -> None:
        found = {mark.name: (round(mark.reached, 2), mark.is_met) for mark in marks(figures())}
        assert found == {
            "accept, in batches, of its limit": (0.9, True),
            "list, of its limit": (0.38, True),
            "list at 100,000 orders, of that at 10,000": (0.95, True),
            "statements per placed order": (1.0, True),
            "statements until it is dispatched": (3.5, True),
            "accept: p99 of p50 at half of the rate": (5.5, False),
            "list: p99 of p50 at half of the rate": (3.0, True),
        }


class TestReport:
    def test_table_shows_the_limit_its_noise_and_the_share_of_it(self) -> None:
        text = as_text(figures())
        assert "± 5 %" in text
        assert "0.90" in text
        assert "NOT VALID" not in text

    def test_errors_make_it_not_valid(self) -> None:
        spoilt = figures()
        spoilt.figures[0] = replace(ACCEPTED, errors=3, first_error="409 taken")
        assert not spoilt.are_valid
        assert "3 errors, 0 answered but not done. 409 taken" in as_text(spoilt)

    def test_what_was_answered_but_not_done_makes_it_not_valid(self) -> None:
        spoilt = figures()
        spoilt.figures[0] = replace(ACCEPTED, lost=1)
        assert not spoilt.are_valid

    def test_json_holds_everything(self) -> None:
        document = json.loads(json.dumps(as_json(figures(), {"machine": {}}, clock.now())))
        assert document["figures"][0]["of_limit"] == 0.9
        assert document["limits"][0]["spread"] == 0.1
        assert document["are_valid"] is True


class TestOptions:
    def test_default(self) -> None:
        options = parse_options([])
        assert options.sizes == (10_000, 100_000)
        assert (options.clients, options.seconds) == (32, 2.0)

    def test_quick_and_million(self) -> None:
        assert parse_options(["--quick"]).sizes == (10_000,)
        assert parse_options(["--million"]).sizes == (10_000, 100_000, 1_000_000)

    def test_only(self) -> None:
        assert parse_options(["--only", "accept", "--only", "place"]).names == ("accept", "place")

"""A small load run: nothing lost, nothing wrong, nothing left behind."""

from __future__ import annotations

import asyncio

import httpx

from lipogram.server.settings import Settings
from load.client import Answer
from load.mix import Load, mix
from load.run import Outcome, run
from server_under_test import restless, serving


def test_good_malformed_abandoned_and_hostile_requests_together() -> None:
    loads = mix(300, "restless", seed=5)
    assert {load.kind for load in loads} >= {"abandoned", "malformed", "bomb"}
    settings = Settings(compile_workers=1, compile_seconds=2)
    with serving([restless()], settings) as address:
        outcome = asyncio.run(run(address, loads, concurrent=16))
        page = httpx.get(f"{address}/metrics").text
    assert outcome.lost == []
    assert outcome.wrong == []
    assert "lipogram_num_requests_running 0" in page
    assert "lipogram_num_requests_waiting 0" in page
    assert 'code="internal_error"' not in page


def test_the_judges_can_say_no() -> None:
    loads = mix(100, "restless", seed=6)
    answers: list[Answer | None] = [Answer(200, b'{"choices": [{"text": "no"}]}', 0, 0)] * 100
    answers[0] = None
    outcome = Outcome(loads, answers)
    assert outcome.lost == [loads[0].kind]
    judged: list[Load] = [load for load in loads[1:] if load.kind not in {"bomb"}]
    assert len(outcome.wrong) == len(judged)

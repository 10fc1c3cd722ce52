"""One question to the actors at a time, shared by all who ask."""

from __future__ import annotations

import asyncio

import pytest

from actors.console.latest import LatestStatus, StatusUnavailable
from actors.console.snapshot import StatusSnapshot
from tests.console.instance import Instance


def test_all_who_ask_at_once_share_one_question() -> None:
    instance = Instance()

    async def scenario() -> list[StatusSnapshot]:
        latest = LatestStatus(instance.status, instance.clock)
        return await asyncio.gather(*(latest.get() for _ in range(20)))

    answers = asyncio.run(scenario())
    assert instance.asked == 1
    assert len(answers) == 20


def test_an_answer_serves_until_it_is_old() -> None:
    instance = Instance()

    async def scenario() -> None:
        latest = LatestStatus(instance.status, instance.clock, max_age_s=0.5)
        await latest.get()
        instance.now_s += 0.4
        await latest.get()
        assert instance.asked == 1
        instance.now_s += 0.2
        await latest.get()
        assert instance.asked == 2
        instance.now_s -= 3600  # the clock is set back: no answer is good for an hour
        await latest.get()
        assert instance.asked == 3

    asyncio.run(scenario())


def test_silent_actors_are_not_waited_for() -> None:
    async def never() -> StatusSnapshot:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def scenario() -> None:
        latest = LatestStatus(never, lambda: 0.0, timeout_s=0.02)
        with pytest.raises(StatusUnavailable, match=r"did not answer within 0\.02 s"):
            await latest.get()
        with pytest.raises(StatusUnavailable):
            await latest.get()

    asyncio.run(scenario())


def test_one_client_that_leaves_takes_nothing_from_the_others() -> None:
    instance = Instance()
    go_on = asyncio.Event()

    async def slow() -> StatusSnapshot:
        await go_on.wait()
        return await instance.status()

    async def scenario() -> None:
        latest = LatestStatus(slow, instance.clock)
        leaving, staying = (asyncio.create_task(latest.get()) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        go_on.set()
        assert (await staying).readiness().ready
        assert leaving.cancelled()

    asyncio.run(scenario())


def test_a_question_that_nobody_waits_for_may_fail_quietly() -> None:
    async def broken() -> StatusSnapshot:
        await asyncio.sleep(0)
        raise ConnectionError("no actor system")

    async def scenario() -> None:
        failures: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: failures.append(what))
        latest = LatestStatus(broken, lambda: 0.0)
        leaving = asyncio.create_task(latest.get())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await latest.close()
        assert failures == []

    asyncio.run(scenario())


def test_close_ends_a_question_under_way() -> None:
    async def scenario() -> None:
        ended = asyncio.Event()

        async def never() -> StatusSnapshot:
            try:
                return await asyncio.Event().wait()  # type: ignore[return-value]
            finally:
                ended.set()

        latest = LatestStatus(never, lambda: 0.0)
        asking = asyncio.create_task(latest.get())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await latest.close()
        assert ended.is_set()
        assert isinstance((await asyncio.gather(asking, return_exceptions=True))[0], BaseException)

    asyncio.run(scenario())

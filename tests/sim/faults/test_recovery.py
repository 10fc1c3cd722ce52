"""The way back of a victim, on a clock that is passed in."""

from __future__ import annotations

from sim.faults.recovery import Comeback
from sim.faults.targets import ActorState, Status, TreeProcess

BEFORE = {1, 2, 3, 4, 5, 6}


def actor(name: str, kind: str, pid: int, state: str = "ready", device: str = "") -> ActorState:
    return ActorState(name, kind, pid, state, device)


def picture(at: float, *actors: ActorState, ready: bool = True) -> Status:
    return Status(at, ready, actors)


def comeback(name: str, kind: str, pid: int = 4, device: str = "") -> Comeback:
    return Comeback(TreeProcess(pid, name, kind, device=device), 100.0, BEFORE, root_pid=2)


def test_an_actor_is_back_by_its_name_and_ready_by_the_status() -> None:
    back = comeback("router", "router")
    back.saw_processes(100.01, False, [])
    back.saw_processes(100.04, False, [TreeProcess(9, "router", "router")])
    back.saw_status(picture(99.9, actor("router", "router", 4)))  # from before
    back.saw_status(picture(100.2, actor("router", "router", 9, "starting")))
    assert not back.done
    back.saw_status(picture(100.7, actor("router", "router", 9)))
    result = back.result()
    assert back.done
    assert result.recovered
    assert (result.name, result.actor_kind, result.pid, result.new_pid) == (
        "router",
        "router",
        4,
        9,
    )
    assert result.gone_s is not None
    assert round(result.gone_s, 3) == 0.01
    assert round(result.back_s or 0, 3) == 0.04
    assert round(result.not_ready_s or 0, 3) == 0.2
    assert round(result.ready_s or 0, 3) == 0.7


def test_the_victim_itself_is_no_replacement() -> None:
    back = comeback("router", "router")
    back.saw_status(picture(100.3, actor("router", "router", 4)))
    back.saw_processes(100.3, True, [TreeProcess(4, "router", "router")])
    assert not back.done
    assert back.result().gone_s is None
    assert back.result().back_s is None
    assert not back.result().recovered


def test_a_session_is_back_when_another_one_serves_its_device() -> None:
    back = comeback("session-1", "session", device="02:00")
    back.saw_processes(100.1, False, [TreeProcess(9, "session-3", "session")])
    back.saw_status(picture(100.2, actor("session-3", "session", 9)))
    assert not back.done
    back.saw_status(picture(100.4, actor("session-2", "session", 5, device="02:00")))
    assert back.result().new_pid == 5
    assert back.result().back_s is None


def test_a_spare_session_is_back_when_a_new_one_is_ready() -> None:
    back = comeback("session-1", "session")
    back.saw_processes(100.1, False, [TreeProcess(5, "session-2", "session")])
    back.saw_status(picture(100.2, actor("session-2", "session", 5)))
    assert not back.done
    back.saw_processes(100.3, False, [TreeProcess(9, "session-3", "session")])
    back.saw_status(picture(100.4, actor("session-3", "session", 9)))
    assert back.result().new_pid == 9
    assert round(back.result().back_s or 0, 3) == 0.3


def test_with_the_admin_the_whole_system_comes_back() -> None:
    back = comeback("MultiProcAdmin", "admin")
    back.saw_processes(100.1, False, [TreeProcess(9, "MultiProcAdmin", "admin")])
    back.saw_status(picture(100.2, actor("root", "root", 2)))
    back.saw_status(picture(100.4, actor("root", "root", 10), ready=False))
    assert not back.done
    back.saw_status(picture(100.6, actor("root", "root", 10)))
    assert back.done
    assert back.result().new_pid == 9


def test_a_process_that_goes_on_is_ready_as_itself() -> None:
    back = comeback("router", "router")
    back.saw_status(picture(100.3, actor("router", "router", 4)))
    back.continued(100.5)
    back.saw_status(picture(100.4, actor("router", "router", 4)))
    assert not back.done
    back.saw_status(picture(100.6, actor("router", "router", 4)))
    assert back.result().recovered
    assert back.result().new_pid is None
    assert back.result().gone_s is None


def test_a_process_that_was_replaced_before_it_could_go_on_is_not_itself() -> None:
    back = comeback("router", "router")
    back.continued(100.5)
    back.saw_processes(100.6, False, [])
    back.saw_status(picture(100.7, actor("router", "router", 4)))
    assert not back.done


def test_without_a_status_being_back_is_enough() -> None:
    back = Comeback(TreeProcess(4, "worker", "process"), 100.0, BEFORE, None, has_status=False)
    back.saw_processes(100.1, False, [])
    assert not back.done
    back.saw_processes(100.2, False, [TreeProcess(9, "worker", "process")])
    assert back.result().recovered
    assert back.result().ready_s is None


def test_no_picture_says_nothing() -> None:
    back = comeback("router", "router")
    back.saw_status(None)
    assert back.result().not_ready_s is None

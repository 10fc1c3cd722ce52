"""The checkpoint: whatever moment a writer is killed at, what was saved before it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.session.checkpoint import (
    FILE_BYTES,
    MAX_UNSENT_BYTES,
    STATE_SLOT_BYTES,
    AnswerState,
    Checkpoint,
    Sent,
    SessionState,
    create,
)


class Writes:
    """Stands in for the memory map and records each write to it, in order."""

    def __init__(self, size: int) -> None:
        self.memory = bytearray(size)
        self.log: list[tuple[int, bytes]] = []

    def __len__(self) -> int:
        return len(self.memory)


@pytest.fixture
def fileno() -> Iterator[int]:
    made = create(SessionState(device_id="d", session_id="s"))
    yield made
    os.close(made)


def content(fileno: int) -> bytes:
    return os.pread(fileno, FILE_BYTES, 0)


def test_what_was_saved_is_loaded_by_another_process(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    state = SessionState("d", "c", 3, "1.2.3.4", "s", True, True, "manual", True, "speaking", 7)
    state.dialogue = [["user", "你好"], ["assistant", "好"]]
    checkpoint.save(state)
    checkpoint.close()
    again = Checkpoint(fileno)
    assert again.load() == state
    assert again.load_unsent() == (0, b"")
    again.close()


ANSWER = AnswerState("几点", ("三点。", "好。"), (1,), True, "happy", "espeak", "failed", "x", True)


def test_a_turn_is_loaded_as_it_was_saved(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    state = SessionState("d", turn=7, phase="speaking", carried="和", stopping=True, answer=ANSWER)
    checkpoint.save(state)
    checkpoint.save_sent(7, Sent(1, 12, 40))
    checkpoint.heard.append(3.5, b"opus")
    checkpoint.close()
    again = Checkpoint(fileno)
    loaded = again.load()
    assert loaded.answer == ANSWER
    assert (loaded.carried, loaded.stopping, loaded.sent) == ("和", True, Sent(1, 12, 40))
    assert list(again.heard) == [(3.5, b"opus")]
    again.close()


def test_what_was_sent_of_another_turn_does_not_count(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    checkpoint.save(SessionState("d", turn=8))
    checkpoint.save_sent(7, Sent(1, 12, 40))
    assert checkpoint.load().sent == Sent()
    checkpoint.close()


def test_an_answer_that_does_not_fit_goes_last(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    long = AnswerState("问", tuple(f"第{n}句很长的话。" for n in range(2000)))
    state = SessionState("d", turn=3, dialogue=[["user", "早"], ["assistant", "早"]], answer=long)
    checkpoint.save(state)
    loaded = checkpoint.load()
    assert (loaded.turn, loaded.dialogue, loaded.answer) == (3, [], None)
    checkpoint.close()


def test_an_empty_file_holds_a_fresh_state() -> None:
    fileno = os.memfd_create("empty")
    os.ftruncate(fileno, FILE_BYTES)
    checkpoint = Checkpoint(fileno)
    assert checkpoint.load() == SessionState()
    assert checkpoint.load_unsent() == (0, b"")
    checkpoint.close()
    os.close(fileno)


def in_steps(fileno: int, save: object) -> Iterator[None]:
    """Perform `save` as a writer that can be killed between any two of its bytes.

    The memory holds what was written so far each time this yields. The order is that
    of the writer's own statements; within one of them byte by byte, first to last.
    """
    checkpoint = Checkpoint(fileno)
    real = checkpoint._memory
    before = real[:]
    log: list[tuple[int, bytes]] = []

    class Recorder:
        def __getitem__(self, key: slice) -> bytes:
            return real[key]

        def __setitem__(self, key: slice, value: bytes) -> None:
            log.append((key.start, bytes(value)))

    for region in (checkpoint._state, checkpoint._wire):
        region._memory = Recorder()  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:

        class Header:
            size = 16

            @staticmethod
            def pack_into(_: object, at: int, *values: int) -> None:
                log.append((at, values[0].to_bytes(8, "little")))
                log.append((at + 8, values[1].to_bytes(4, "little")))
                log.append((at + 12, values[2].to_bytes(4, "little")))

        patch.setattr("actors.session.checkpoint._HEADER", Header)
        save(checkpoint)  # type: ignore[operator]
    assert real[:] == before
    for start, data in log:
        for at, byte in enumerate(data, start):
            real[at] = byte
            yield
    for region in (checkpoint._state, checkpoint._wire):
        region._memory = real
    checkpoint.close()


@pytest.mark.parametrize("saves_before", [1, 2, 3])
def test_a_writer_killed_at_any_byte_leaves_what_was_there(fileno: int, saves_before: int) -> None:
    checkpoint = Checkpoint(fileno)
    old = SessionState(device_id="d", session_id="s", phase="speaking")
    for number in range(saves_before):
        old.turn = number
        checkpoint.save(old)
    checkpoint.close()
    new = SessionState(device_id="d", session_id="s", turn=99, phase="idle", mode="manual")
    steps = 0
    for _ in in_steps(fileno, lambda c: c.save(new)):
        steps += 1
        reader = Checkpoint(fileno)
        assert reader.load() in (old, new)
        reader.close()
    assert steps > 200
    reader = Checkpoint(fileno)
    assert reader.load() == new
    reader.close()


def test_unsent_bytes_survive_a_torn_write_too(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    checkpoint.save_unsent(1000, b"the first")
    checkpoint.save_unsent(2000, b"what waits")
    checkpoint.close()
    for _ in in_steps(fileno, lambda c: c.save_unsent(3000, b"what comes next" * 5)):
        reader = Checkpoint(fileno)
        assert reader.load_unsent() in ((2000, b"what waits"), (3000, b"what comes next" * 5))
        assert reader.load().session_id == "s"
        reader.close()


def test_after_a_torn_write_saving_goes_on(fileno: int) -> None:
    for stop_at in (1, 9, 17, 100):
        for steps, _ in enumerate(in_steps(fileno, lambda c: c.save(SessionState(turn=50))), 1):
            if steps == stop_at:
                break
        writer = Checkpoint(fileno)
        for turn in range(51, 54):
            writer.save(SessionState(turn=turn))
            reader = Checkpoint(fileno)
            assert reader.load().turn == turn
            reader.close()
        writer.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 40), st.binary(max_size=300)), max_size=8))
def test_the_last_of_many_counts(saves: list[tuple[int, bytes]]) -> None:
    fileno = create(SessionState(session_id="s"))
    checkpoint = Checkpoint(fileno)
    for offset, data in saves:
        checkpoint.save_unsent(offset, data)
        assert checkpoint.load_unsent() == (offset, data)
    assert checkpoint.load() == SessionState(session_id="s")
    checkpoint.close()
    os.close(fileno)


def test_a_damaged_slot_is_not_believed(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    checkpoint.save(SessionState(session_id="s", turn=1))
    checkpoint.save(SessionState(session_id="s", turn=2))
    newest = content(fileno).rindex(b'"turn":2')
    os.pwrite(fileno, b'"turn":3', newest)
    assert checkpoint.load().turn == 1
    checkpoint.close()


# --- what fits ---


def test_the_oldest_of_a_long_dialogue_goes(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    state = SessionState(session_id="s")
    state.dialogue = [[("user", "assistant")[n % 2], f"{n}" + "说" * 400] for n in range(60)]
    checkpoint.save(state)
    loaded = checkpoint.load()
    assert loaded == state
    assert 0 < len(loaded.dialogue) < 60
    assert loaded.dialogue[-1][1].startswith("59")
    assert loaded.dialogue[0][0] == "user"
    checkpoint.close()


def test_one_answer_that_fits_nowhere_is_forgotten(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    state = SessionState(session_id="s", turn=5)
    state.dialogue = [["user", "讲"], ["assistant", "说" * STATE_SLOT_BYTES]]
    checkpoint.save(state)
    assert checkpoint.load() == SessionState(session_id="s", turn=5)
    checkpoint.close()


def test_half_an_emoji_from_a_model_is_no_reason_to_die(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    state = SessionState(session_id="s", dialogue=[["user", "好"], ["assistant", "\ud83d好"]])
    checkpoint.save(state)
    assert checkpoint.load().dialogue[1][1] == "?好"
    checkpoint.close()


def test_as_much_as_is_promised_fits(fileno: int) -> None:
    checkpoint = Checkpoint(fileno)
    data = os.urandom(MAX_UNSENT_BYTES)
    checkpoint.save_unsent(1 << 60, data)
    assert checkpoint.load_unsent() == (1 << 60, data)
    with pytest.raises(ValueError, match="do not fit"):
        checkpoint.save_unsent(0, data + b"x")
    assert checkpoint.load_unsent() == (1 << 60, data)
    checkpoint.close()

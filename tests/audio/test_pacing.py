"""The downlink's grid."""

from __future__ import annotations

from actors.audio.pacing import Pacer


def test_the_lead_leaves_at_once_and_then_one_frame_per_frame_time() -> None:
    pacer = Pacer(60, 2)
    assert pacer.due(0.0) == 0
    pacer.begin(10.0)
    assert pacer.due(10.0) == 2
    pacer.sent(2, 10.0)
    assert pacer.due(10.059) == 0
    assert pacer.next_due() == 10.06
    assert pacer.due(10.06) == 1
    pacer.sent(1, 10.06)
    assert abs(pacer.played_until() - 10.18) < 1e-9

"""The simulated device against a scripted server: it behaves, and it catches every fault.

All conversations run side by side, once, because they last as long as real speech.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sim.device import SimulatedDevice
from sim.encoded import spoken
from sim.link import DeviceError
from sim.profile import DeviceProfile
from sim.result import TurnResult
from sim.tools import DeviceTools
from tests.sim.fake_server import FakeServer, Script, fake_server

MODES = ("auto", "manual", "realtime")
VERSIONS = (1, 2, 3)
FRAMES_MS = (20, 40, 60)
GENERATIONS = ("1.6", "1.7", "1.8", "2.2.6", "2.4")
SAID = "现在几点"


@dataclass
class Scene:
    """One conversation that is over."""

    fake: FakeServer
    results: list[TurnResult] = field(default_factory=list)
    state: str = ""
    error: str = ""
    tools: DeviceTools = field(default_factory=DeviceTools)
    greeting: TurnResult | None = None

    @property
    def result(self) -> TurnResult:
        return self.results[0]

    @property
    def problems(self) -> tuple[str, ...]:
        return self.result.verdict.problems


Act = Callable[[SimulatedDevice, Scene], Awaitable[None]]


async def speaks(device: SimulatedDevice, scene: Scene) -> None:
    await device.connect()
    speech = spoken(SAID, device.profile.frame_ms)
    scene.results.append(await device.turn(speech, timeout_s=1.0, linger_ms=80))


async def speaks_twice(device: SimulatedDevice, scene: Scene) -> None:
    await speaks(device, scene)
    speech = spoken(SAID, device.profile.frame_ms)
    scene.results.append(await device.turn(speech, timeout_s=1.0, linger_ms=80))


async def speaks_patiently(device: SimulatedDevice, scene: Scene) -> None:
    """Twice, over a link that reads nothing for a while."""
    await device.connect()
    speech = spoken(SAID, device.profile.frame_ms)
    for _ in range(2):
        scene.results.append(await device.turn(speech, timeout_s=4.0, linger_ms=80))


async def speaks_again_when_stuck(device: SimulatedDevice, scene: Scene) -> None:
    await speaks(device, scene)
    scene.state = device.state
    with pytest.raises(DeviceError) as caught:
        await device.turn(spoken(SAID), timeout_s=0.2)
    scene.error = str(caught.value)


async def types(device: SimulatedDevice, scene: Scene) -> None:
    await device.connect()
    scene.results.append(await device.typed_turn("你好", expected="三点", timeout_s=1.0))


async def is_woken(device: SimulatedDevice, scene: Scene) -> None:
    scene.greeting = await device.wake("你好小智", spoken("你好小智"), timeout_s=1.0)


async def interrupts(device: SimulatedDevice, scene: Scene) -> None:
    await device.connect()
    result = await device.typed_turn("你好", abort_after_ms=150, timeout_s=1.0, linger_ms=80)
    scene.results.append(result)


async def interrupts_by_wake_word(device: SimulatedDevice, scene: Scene) -> None:
    device_turn = asyncio.create_task(speaks(device, scene))
    while device.state != "speaking":
        await asyncio.sleep(0.02)
    device.abort(by_wake_word=True)
    scene.state = device.state
    await device_turn


async def barges_in(device: SimulatedDevice, scene: Scene) -> None:
    device_turn = asyncio.create_task(speaks(device, scene))
    while device.state != "speaking":
        await asyncio.sleep(0.02)
    await device.speak(spoken("停"))
    await device_turn


LONG = Script(frames=12)
SCENES: dict[str, tuple[Script, dict[str, Any], Act]] = {
    **{
        f"{mode} v{version}": (Script(), {"mode": mode, "version": version}, speaks_twice)
        for mode in MODES
        for version in VERSIONS
    },
    **{f"{ms} ms up": (Script(frame_ms=ms), {"frame_ms": ms}, speaks) for ms in FRAMES_MS},
    **{f"firmware {name}": (Script(), {"generation": name}, speaks) for name in GENERATIONS},
    "typed": (Script(), {}, types),
    "woken": (Script(greeting=True), {}, is_woken),
    "woken in silence": (Script(answers=False), {}, is_woken),
    "interrupted": (LONG, {}, interrupts),
    "interrupted by wake word": (LONG, {}, interrupts_by_wake_word),
    "barge-in": (replace(LONG, frames=20), {"mode": "realtime"}, barges_in),
    "no stop": (Script(stops=0), {}, speaks_again_when_stuck),
    "two stops": (Script(stops=2), {}, speaks),
    "no audio": (Script(frames=0), {}, speaks),
    "silent audio": (Script(silent=True), {}, speaks),
    "no answer": (Script(answers=False), {}, speaks),
    "too early": (Script(early_after_packets=4), {}, speaks),
    "cut off": (Script(close_after_frames=3), {}, speaks),
    "burst": (Script(frames=50, frame_ms=20, burst=True, stop_after_ms=-500), {}, speaks),
    "after stop": (Script(late_frames=2), {}, speaks),
    "hole": (Script(frames=8, hole_before=4, hole_ms=300), {}, speaks),
    "early stop, new": (replace(LONG, stop_after_ms=-150), {}, speaks),
    "early stop, old": (replace(LONG, stop_after_ms=-150), {"generation": "1.8"}, speaks),
    "foreign": (Script(foreign=True), {}, speaks),
    "at once": (Script(audio_ms=0), {"main_task_ms": 40.0}, speaks),
    "echo": (LONG, {"mode": "realtime", "version": 2, "server_aec": True}, speaks),
    "mcp": (
        Script(
            mcp=(
                {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}},
                {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
                {
                    "jsonrpc": "2.0",
                    "id": 3,
                    "method": "tools/call",
                    "params": {"name": "self.audio_speaker.set_volume", "arguments": {"volume": 5}},
                },
            )
        ),
        {},
        types,
    ),
    "split link": (LONG, {"link": "split", "version": 3}, speaks_twice),
    "rough link": (LONG, {"link": "rough"}, speaks_patiently),
    "query": (Script(), {"identity": "query", "version": 3, "token": "a b"}, types),
}


async def play_one(name: str) -> Scene:
    script, options, act = SCENES[name]
    async with fake_server(script) as fake:
        scene = Scene(fake)
        profile = DeviceProfile(fake.url, "02:00:00:00:00:01", "client", **options)
        device = SimulatedDevice(profile, tools=scene.tools)
        try:
            await act(device, scene)
        finally:
            await device.close()
        scene.state = scene.state or device.state
        return scene


async def play_all() -> dict[str, Scene]:
    scenes = await asyncio.gather(*(play_one(name) for name in SCENES))
    assert len(asyncio.all_tasks()) == 1, "a closed device leaves a task behind"
    return dict(zip(SCENES, scenes, strict=True))


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return asyncio.run(play_all())


# --- what is right --------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_mode_and_framing_gets_its_answer(
    scenes: dict[str, Scene], mode: str, version: int
) -> None:
    scene = scenes[f"{mode} v{version}"]
    assert len(scene.results) == 2
    for result in scene.results:
        assert result.right, result.verdict
        assert result.verdict.outcome == "answered"
        assert (result.understood, result.sentences, result.emotion) == (
            "几点了",
            ("现在三点",),
            "happy",
        )
        assert len(result.pcm) == 5 * 60 * 24
    assert scene.fake.texts[0]["version"] == version
    starts = scene.fake.texts_of("listen", state="start")
    stops = scene.fake.texts_of("listen", state="stop")
    assert {start["mode"] for start in starts} == {mode}
    # auto: before each turn and after the last; realtime: announced once; manual: each turn
    assert len(starts) == {"auto": 3, "realtime": 1, "manual": 2}[mode]
    assert len(stops) == (2 if mode == "manual" else 0)
    assert all(text["session_id"] == "session-1" for text in scene.fake.texts[1:])


@pytest.mark.parametrize("frame_ms", FRAMES_MS)
def test_the_server_gets_exactly_what_was_spoken(scenes: dict[str, Scene], frame_ms: int) -> None:
    scene = scenes[f"{frame_ms} ms up"]
    assert scene.result.right, scene.result.verdict
    speech = spoken(SAID, frame_ms)
    got = scene.fake.packets
    start = got.index(speech.packets[0])
    assert tuple(got[start : start + len(speech.packets)]) == speech.packets
    assert all(len(packet) <= 20 for packet in got[:start])  # quiet, but sent
    assert got[start + len(speech.packets)] == speech.tail[0]


def test_hops_happen_in_order_and_agree_with_the_server(scenes: dict[str, Scene]) -> None:
    scene = scenes["auto v1"]
    times = scene.result.timeline
    hops = [times.stt_ms, times.tts_start_ms, times.sentence_ms, times.first_frame_ms]
    hops += [times.last_frame_ms, times.heard_ms, times.tts_stop_ms]
    assert None not in hops
    assert hops == sorted(hop for hop in hops if hop is not None)
    arrived = [frame.at for frame in scene.result.trace.frames]
    sent = scene.fake.times("frame")[: len(arrived)]
    assert all(there >= here - 0.001 for here, there in zip(sent, arrived, strict=True))
    ended = scene.result.trace.first("speech_ended")
    speech_sent = scene.result.trace.first("speech_sent")
    assert ended
    assert speech_sent
    assert ended.at <= speech_sent.at


@pytest.mark.parametrize("link", ["split", "rough"])
def test_a_bad_link_loses_nothing(scenes: dict[str, Scene], link: str) -> None:
    scene = scenes[f"{link} link"]
    assert [result.right for result in scene.results] == [True, True]
    speech = spoken(SAID)
    start = scene.fake.packets.index(speech.packets[0])
    assert tuple(scene.fake.packets[start : start + len(speech.packets)]) == speech.packets


def test_generations_introduce_themselves_differently(scenes: dict[str, Scene]) -> None:
    for name in GENERATIONS:
        assert scenes[f"firmware {name}"].result.right, name
    old, new = scenes["firmware 1.6"].fake, scenes["firmware 2.4"].fake
    assert "features" not in old.texts[0]
    assert old.texts_of("iot")
    assert new.texts[0]["features"] == {"mcp": True, "glyph_push": False}
    assert not new.texts_of("iot")


def test_typed_text_is_answered_without_a_microphone(scenes: dict[str, Scene]) -> None:
    scene = scenes["typed"]
    assert scene.result.right, scene.result.verdict
    assert scene.fake.packets == []
    assert scene.fake.texts_of("listen", state="detect")[0]["text"] == "你好"


def test_wake_word_audio_comes_before_detect_and_detect_before_start(
    scenes: dict[str, Scene],
) -> None:
    scene = scenes["woken"]
    assert scene.greeting is not None
    assert scene.greeting.right, scene.greeting.verdict
    order = [what for _at, what in scene.fake.log if what.startswith(("got", "packet"))]
    burst = len(spoken("你好小智").packets)
    assert order[: burst + 3] == ["got hello"] + ["packet"] * burst + [
        "got listen detect",
        "got listen start",
    ]
    assert scenes["woken in silence"].greeting is None


def test_abort_by_button_waits_for_the_stop(scenes: dict[str, Scene]) -> None:
    scene = scenes["interrupted"]
    assert scene.result.verdict.outcome == "interrupted"
    assert scene.result.right, scene.result.verdict
    assert scene.result.timeline.abort_to_stop_ms is not None
    assert "reason" not in scene.fake.texts_of("abort")[0]
    assert scene.result.timeline.frames < 12


def test_abort_by_wake_word_listens_at_once(scenes: dict[str, Scene]) -> None:
    scene = scenes["interrupted by wake word"]
    assert scene.state == "listening"
    assert scene.fake.texts_of("abort")[0]["reason"] == "wake_word_detected"
    assert not scene.fake.texts_of("listen", state="detect")
    order = [what for _at, what in scene.fake.log]
    assert "got listen start" in order[order.index("got abort") :]


def test_speech_reaches_the_server_during_the_answer_in_realtime(scenes: dict[str, Scene]) -> None:
    scene = scenes["barge-in"]
    first = scene.fake.packets.index(spoken("停").packets[0])
    at = scene.fake.times("packet")[first]
    assert scene.fake.times("tts start")[0] < at < scene.fake.times("tts stop")[0]


def test_device_tools_answer_over_the_wire(scenes: dict[str, Scene]) -> None:
    scene = scenes["mcp"]
    replies = {text["payload"]["id"]: text["payload"] for text in scene.fake.texts_of("mcp")}
    assert replies[1]["result"]["protocolVersion"] == "2024-11-05"
    assert replies[2]["result"]["nextCursor"] == "self.screen.set_brightness"
    assert replies[3]["result"]["content"] == [{"type": "text", "text": "true"}]
    assert scene.tools.volume == 5


def test_identity_travels_in_headers_or_in_the_query(scenes: dict[str, Scene]) -> None:
    headers = scenes["auto v2"].fake.requests[0].headers
    assert (headers["Device-Id"], headers["Client-Id"]) == ("02:00:00:00:00:01", "client")
    assert headers["Protocol-Version"] == "2"
    for absent in ("Authorization", "User-Agent", "Sec-WebSocket-Extensions", "Origin"):
        assert absent not in headers
    request = scenes["query"].fake.requests[0]
    assert request.path.endswith(
        "?device-id=02%3A00%3A00%3A00%3A00%3A01&client-id=client&authorization=a%20b"
        "&protocol-version=3"
    )
    assert "Device-Id" not in request.headers


def test_timestamps_of_played_frames_are_echoed_for_server_aec(scenes: dict[str, Scene]) -> None:
    scene = scenes["echo"]
    echoed = [stamp for stamp in scene.fake.timestamps_ms if stamp]
    assert set(range(1000, 1012)) >= set(echoed) >= {1000}
    assert scene.fake.texts[0]["features"]["aec"] is True
    assert not any(scenes["auto v2"].fake.timestamps_ms)


def test_the_connection_is_dropped_without_a_close_frame(scenes: dict[str, Scene]) -> None:
    assert scenes["auto v1"].fake.endings == [""]


# --- what is wrong is found ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "outcome", "problem"),
    [
        ("no stop", "incomplete", "no tts stop"),
        ("two stops", "answered", "2 tts stop"),
        ("no audio", "incomplete", "without audio"),
        ("silent audio", "answered", "silence"),
        ("no answer", "unanswered", "no tts start"),
        ("too early", "answered", "before the speech was over"),
        ("cut off", "disconnected", "ended in mid-turn"),
        ("burst", "answered", "overflowed"),
        ("after stop", "answered", "2 frames came while the device was not speaking"),
        ("early stop, old", "answered", "cut off"),
        ("foreign", "answered", "another session"),
    ],
)
def test_fault_is_found(scenes: dict[str, Scene], name: str, outcome: str, problem: str) -> None:
    verdict = scenes[name].result.verdict
    assert verdict.outcome == outcome
    assert any(problem in each for each in verdict.problems), verdict


def test_a_device_without_stop_stays_in_speaking(scenes: dict[str, Scene]) -> None:
    assert scenes["no stop"].state == "speaking"
    assert "stuck in speaking" in scenes["no stop"].error


def test_overflow_loses_the_newest_packets(scenes: dict[str, Scene]) -> None:
    frames = scenes["burst"].result.trace.frames
    fates = [frame.fate for frame in frames]
    assert fates[:42] == ["accepted"] * 42
    assert fates[-1] == "queue full"


def test_a_hole_is_measured_and_kept_in_the_sound(scenes: dict[str, Scene]) -> None:
    result = scenes["hole"].result
    assert result.right, result.verdict
    times = result.timeline
    assert times.underruns >= 1
    assert times.underrun_ms > 100
    assert any("holes" in remark for remark in result.verdict.remarks)
    heard_ms = 8 * 60 + times.underrun_ms
    assert abs(len(result.pcm) / 24 - heard_ms) < 25


def test_an_early_stop_harms_only_old_firmware(scenes: dict[str, Scene]) -> None:
    new = scenes["early stop, new"].result
    assert new.right, new.verdict
    assert any("1.7 to 2.0" in remark for remark in new.verdict.remarks)
    assert len(new.pcm) == 12 * 60 * 24
    assert scenes["early stop, old"].result.timeline.cleared >= 1


def test_audio_that_overtakes_tts_start_is_told_apart(scenes: dict[str, Scene]) -> None:
    result = scenes["at once"].result
    assert result.right, result.verdict
    assert result.timeline.overtook >= 1
    assert result.timeline.ignored == 0


def test_speech_that_is_cut_gives_the_origin(scenes: dict[str, Scene]) -> None:
    trace = scenes["too early"].result.trace
    assert trace.count("speech_cut") == 1
    assert trace.count("speech_ended") == 0
    assert scenes["too early"].result.timeline.first_frame_ms is not None

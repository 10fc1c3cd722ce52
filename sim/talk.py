"""`python3 -m sim talk`: one simulated device that holds a conversation and judges it.

Exit codes: 0 every turn got a spoken answer and was right, 1 one was not, 2 the
command line is wrong, 3 the device could not connect.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from actors.wire.firmware import GENERATIONS
from actors.wire.frames import VERSIONS
from sim import printout
from sim.device import SimulatedDevice
from sim.dialect import MODES, UPLINK_FRAME_MS
from sim.encoded import EncodedSpeech, recorded, spoken
from sim.link import DeviceError
from sim.ota import OtaError, ask_ota, check_url
from sim.profile import NEWEST_GENERATION, DeviceProfile, random_identity
from sim.result import TurnResult
from sim.speech import SpeechError, write_wav
from sim.timeline import Event

DEFAULT_URL = "ws://127.0.0.1:8000/xiaozhi/v1/"
DEFAULT_OTA = "http://127.0.0.1:8003/xiaozhi/ota/"
#: How long a turn is watched after its end for what should not come any more.
LINGER_MS = 300.0

RIGHT, WRONG, USAGE, NO_CONNECTION = 0, 1, 2, 3

Say = Callable[[str], None]


class Utterance(NamedTuple):
    """One turn to come: what the user does, with its text or file."""

    kind: Literal["say", "wav", "type"]
    text: str


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python3 -m sim talk",
        description="A simulated device talks to a xiaozhi server and times every hop.",
        epilog="--say, --wav and --type may be repeated and mixed: one turn each, in order.",
    )
    turns = made.add_argument_group("what is said")
    for flag, meta, text in (
        ("--say", "TEXT", "speak TEXT (eSpeak NG)"),
        ("--wav", "FILE", "speak a WAV file"),
        ("--type", "TEXT", "send TEXT as typed text"),
    ):
        turns.add_argument(flag, action=_AppendUtterance, metavar=meta, help=text)
    turns.add_argument("--wake", metavar="WORD", help="wake the device with WORD first")
    turns.add_argument("--voice", default="cmn", help="eSpeak NG voice (default: cmn)")
    turns.add_argument("--speed", type=int, default=175, help="words per minute (default: 175)")
    turns.add_argument("--abort-after", type=float, metavar="MS", help="interrupt, after tts start")
    check = made.add_argument_group("what is checked and kept")
    check.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="TEXT",
        help="the answer's text must contain TEXT; once for all turns, or once for each",
    )
    check.add_argument(
        "--save", nargs="?", const="answer-N.wav", metavar="FILE", help="keep the answers as WAV"
    )
    check.add_argument("--hear", action="store_true", help="say what Vosk understands of them")
    check.add_argument("--json", action="store_true", help="result as JSON; the rest to stderr")
    check.add_argument("--timeout", type=float, default=15.0, metavar="S", help="longest silence")
    _add_device_arguments(made.add_argument_group("the device"))
    return made


def _add_device_arguments(device: Any) -> None:
    device.add_argument("--url", default=DEFAULT_URL, help=f"(default: {DEFAULT_URL})")
    device.add_argument(
        "--ota", nargs="?", const=DEFAULT_OTA, metavar="URL", help="ask the OTA address first"
    )
    device.add_argument("--token", default="", help="sent as bearer token")
    device.add_argument("--device-id", default="", help="MAC address (default: a random one)")
    device.add_argument("--client-id", default="", help="UUID (default: a random one)")
    device.add_argument("--query", action="store_true", help="identify by query string, not header")
    device.add_argument("--mode", choices=MODES, default="auto", help="listening mode")
    device.add_argument("--version", type=int, choices=VERSIONS, help="binary framing (default: 1)")
    device.add_argument("--frame-ms", type=int, choices=UPLINK_FRAME_MS, default=60)
    device.add_argument("--generation", choices=tuple(GENERATIONS), default=NEWEST_GENERATION)
    device.add_argument("--noise", type=float, metavar="DBFS", help="room noise, such as -55")


class _AppendUtterance(argparse.Action):
    """Keeps the order of --say, --wav and --type among each other."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        utterances = [*(getattr(namespace, "utterances", None) or [])]
        namespace.utterances = [*utterances, (self.dest, values)]


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    made = parser()
    options = made.parse_args(argv)
    utterances = [Utterance(*each) for each in getattr(options, "utterances", None) or []]
    utterances = utterances or [Utterance("say", "你好")]
    if len(options.expect) > 1 and len(options.expect) != len(utterances):
        made.error(f"--expect is given {len(options.expect)} times for {len(utterances)} turns")
    say = _printer(sys.stderr if options.json else sys.stdout)
    try:
        speeches = [_speech(options, utterance) for utterance in utterances]
        return asyncio.run(_talk(options, utterances, speeches, say))
    except SpeechError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except (DeviceError, OtaError) as error:
        print(f"error: {error}", file=sys.stderr)
        return NO_CONNECTION
    except KeyboardInterrupt:
        return 130


def _printer(stream: Any) -> Say:
    return lambda text: print(text, file=stream, flush=True)


def _speech(options: argparse.Namespace, utterance: Utterance) -> EncodedSpeech | None:
    """Encode before connecting, so that a wrong file costs no connection."""
    if utterance.kind == "type":
        return None
    if utterance.kind == "wav":
        return recorded(utterance.text, options.frame_ms, options.noise)
    return _spoken(options, utterance.text)


def _spoken(options: argparse.Namespace, text: str) -> EncodedSpeech:
    return spoken(
        text,
        options.frame_ms,
        voice=options.voice,
        speed_wpm=options.speed,
        ambient_dbfs=options.noise,
    )


async def _profile(options: argparse.Namespace, say: Say) -> DeviceProfile:
    device_id, client_id = random_identity(random.Random())
    device_id = options.device_id or device_id
    client_id = options.client_id or client_id
    url, token, version = options.url, options.token, options.version
    if options.ota:
        reply = await ask_ota(options.ota, device_id, client_id)
        say(f"OTA {options.ota} says {reply.url}, version {reply.version or 'not stated'}")
        url, token, version = reply.url, token or reply.token, version or reply.version
    return DeviceProfile(
        url=check_url(url),
        device_id=device_id,
        client_id=client_id,
        token=token,
        version=version or 1,
        mode=options.mode,
        frame_ms=options.frame_ms,
        generation=options.generation,
        identity="query" if options.query else "headers",
        ambient_dbfs=options.noise,
    )


async def _talk(
    options: argparse.Namespace,
    utterances: list[Utterance],
    speeches: list[EncodedSpeech | None],
    say: Say,
) -> int:
    profile = await _profile(options, say)
    device = SimulatedDevice(profile, _Live(say).show)
    began = time.monotonic()
    hello = await device.connect()
    say(printout.connected(profile, hello, (time.monotonic() - began) * 1000))
    results: list[TurnResult] = []
    turns: list[dict[str, Any]] = []
    greeting: TurnResult | None = None
    trouble = ""
    try:
        if options.wake:
            greeting = await _wake(device, options, say)
        for number, utterance in enumerate(utterances, 1):
            result = await _turn(device, options, number, utterance, speeches[number - 1], say)
            results.append(result)
            turns.append(_kept(result, options, number, len(utterances), say))
            if not device.connected and number < len(utterances):
                raise DeviceError("the connection is gone; no further turn is possible")
    except DeviceError as error:
        trouble = str(error)
        say(f"error: {trouble}")
    finally:
        await device.close()
    lag_ms = device.worst_lag_s * 1000
    say("\n" + printout.summary(results, len(utterances), lag_ms))
    all_held = len(results) == len(utterances)
    right = all_held and all(each.right for each in (*results, *([greeting] if greeting else [])))
    if options.json:
        told = printout.report(profile, hello, turns, greeting)
        told |= {"right": right, "error": trouble, "worst_lag_ms": lag_ms}
        print(json.dumps(told, ensure_ascii=False, indent=2))
    return RIGHT if right else WRONG


class _Live:
    """Prints events as they happen, timed from the end of the user's words."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._since: float | None = None

    def show(self, event: Event) -> None:
        if event.kind == "turn":
            self._since = None
        elif event.kind in ("speech_ended", "speech_cut", "typed", "detect"):
            self._since = event.at
        line = printout.live(event, self._since)
        if line is not None:
            self._say(line)


async def _wake(
    device: SimulatedDevice, options: argparse.Namespace, say: Say
) -> TurnResult | None:
    say(f"\nwake word: {options.wake}")
    greeting = await device.wake(
        options.wake, _spoken(options, options.wake), timeout_s=options.timeout
    )
    if greeting is None:
        say("  no greeting")
    else:
        say(printout.judgement(greeting))
    return greeting


async def _turn(
    device: SimulatedDevice,
    options: argparse.Namespace,
    number: int,
    utterance: Utterance,
    speech: EncodedSpeech | None,
    say: Say,
) -> TurnResult:
    expect = options.expect
    given: dict[str, Any] = {
        "timeout_s": options.timeout,
        "abort_after_ms": options.abort_after,
        "expected": (expect[0] if len(expect) == 1 else expect[number - 1]) if expect else "",
        "linger_ms": LINGER_MS,
    }
    if speech is None:
        say(f"\nturn {number}, typed: {utterance.text}")
        result = await device.typed_turn(utterance.text, **given)
    else:
        say(f"\nturn {number}, spoken: {speech.text} ({speech.duration_ms / 1000:.1f} s)")
        result = await device.turn(speech, **given)
    say(printout.table(result))
    say(printout.judgement(result))
    return result


def _kept(
    result: TurnResult, options: argparse.Namespace, number: int, turns: int, say: Say
) -> dict[str, Any]:
    """Save and listen to the answer where asked; the turn for the JSON."""
    told = printout.as_json(result)
    if options.save and len(result.pcm):
        path = wav_path(options.save, number, turns)
        write_wav(path, result.pcm, result.rate_hz)
        say(f"    saved: {path}")
        told["saved"] = str(path)
    if options.hear:
        from sim.hearing import understand

        told["heard_by_vosk"] = understand(result.pcm, result.rate_hz)
        say(f"    Vosk understands: {told['heard_by_vosk'] or '(nothing)'}")
    return told


def wav_path(name: str, number: int, turns: int) -> Path:
    """Where the answer of turn `number` goes: N in the name is the number, and with
    several turns a name without it gets one."""
    path = Path(name)
    if path.stem.endswith("-N"):
        return path.with_name(f"{path.stem[:-1]}{number}{path.suffix}")
    return path if turns == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")

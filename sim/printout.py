"""How `sim talk` shows a conversation. Pure: results in, lines of text out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sim.dialect import ServerHello
from sim.profile import DeviceProfile
from sim.result import TurnResult
from sim.timeline import HOPS, Event

#: Lag of the simulator beyond which its figures are not to be trusted.
_TROUBLING_LAG_MS = 30.0

#: Events shown while they happen, with the word in front of them.
_LIVE = {
    "stt": "heard",
    "emotion": "face",
    "sentence": "answer",
    "abort": "abort sent",
    "tts_stop": "tts stop",
    "speech_cut": "cut off: the server answers before the speech is over",
    "mcp": "mcp",
    "foreign": "MESSAGE OF ANOTHER SESSION",
    "other": "other",
    "closed": "connection ended",
}


def connected(profile: DeviceProfile, hello: ServerHello, took_ms: float) -> str:
    return (
        f"{profile.device_id} connected to {profile.url} in {took_ms:.0f} ms\n"
        f"  mode {profile.mode}, binary v{profile.version}, {profile.frame_ms} ms frames up, "
        f"firmware {profile.generation}; down {hello.rate_hz} Hz, {hello.frame_ms} ms frames; "
        f"session {hello.session_id or '(none)'}"
    )


def live(event: Event, since: float | None) -> str | None:
    """One line for an event, with ms since `since`; None for what is not shown live."""
    word = _LIVE.get(event.kind)
    if word is None:
        return None
    clock = "        " if since is None else f"{(event.at - since) * 1000:+8.0f}"
    text = " ".join(event.text.split())
    return f"{clock}  {word}{': ' + text if text else ''}"


def table(result: TurnResult) -> str:
    """Every hop of a turn, in ms from the last speech sample or the message."""
    times = result.timeline
    origin = "message" if result.trace.count("typed") else "last speech sample"
    hops = [(getattr(times, name), label) for name, label in HOPS]
    happened = sorted((at, label) for at, label in hops if at is not None)
    lines = [f"      ms  after the {origin}"]
    lines += [f"{at:8.0f}  {label}" for at, label in happened]
    lines += [f"       -  {label}: did not happen" for at, label in hops if _missing(at, label)]
    if times.abort_to_stop_ms is not None:
        lines.append(f"{times.abort_to_stop_ms:8.0f}  from abort to tts stop")
    lost = times.ignored + times.overtook + times.overflow + times.cleared + times.undecodable
    lines.append(
        f"    audio {times.audio_ms / 1000:.2f} s in {times.frames} frames; {lost} lost, "
        f"{times.late} late, {times.underruns} holes ({times.underrun_ms:.0f} ms), "
        f"{times.pauses} pauses ({times.pause_ms:.0f} ms); longest gap "
        f"{times.longest_gap_ms:.0f} ms, deepest queue {times.deepest_queue_ms:.0f} ms"
    )
    return "\n".join(lines)


def judgement(result: TurnResult) -> str:
    verdict = result.verdict
    lines = [f"  {'right' if result.right else 'WRONG'} ({verdict.outcome})"]
    lines += [f"    problem: {problem}" for problem in verdict.problems]
    lines += [f"    remark: {remark}" for remark in verdict.remarks]
    return "\n".join(lines)


def summary(results: list[TurnResult], wanted: int, worst_lag_ms: float) -> str:
    right = sum(result.right for result in results)
    lines = [f"verdict: {right} of {wanted} turns right"]
    if len(results) < wanted:
        lines.append(f"  {wanted - len(results)} turns could not be held")
    first = sorted(
        result.timeline.first_frame_ms
        for result in results
        if result.timeline.first_frame_ms is not None
    )
    if first:
        lines.append(
            f"  from the end of the user's words to the first audio frame: "
            f"{first[0]:.0f} to {first[-1]:.0f} ms, median {first[len(first) // 2]:.0f} ms"
        )
    if worst_lag_ms > _TROUBLING_LAG_MS:
        lines.append(
            f"  this simulator itself was up to {worst_lag_ms:.0f} ms late: the machine is busy, "
            "do not trust the figures"
        )
    return "\n".join(lines)


def as_json(result: TurnResult) -> dict[str, Any]:
    """One turn for machines; times in ms as in `sim.timeline.Timeline`."""
    return {
        "said": result.said,
        "understood": result.understood,
        "answer": "".join(result.sentences),
        "sentences": list(result.sentences),
        "emotion": result.emotion,
        "outcome": result.verdict.outcome,
        "problems": list(result.verdict.problems),
        "remarks": list(result.verdict.remarks),
        "timeline": asdict(result.timeline),
    }


def report(
    profile: DeviceProfile,
    hello: ServerHello,
    turns: list[dict[str, Any]],
    greeting: TurnResult | None,
) -> dict[str, Any]:
    """The whole conversation for machines; the token is left out."""
    return {
        "url": profile.url,
        "device_id": profile.device_id,
        "mode": profile.mode,
        "version": profile.version,
        "frame_ms": profile.frame_ms,
        "generation": profile.generation,
        "hello": asdict(hello),
        "greeting": as_json(greeting) if greeting else None,
        "turns": turns,
    }


def _missing(at: float | None, label: str) -> bool:
    """Hops without which no answer is complete."""
    return at is None and label in ("tts start", "first audio frame on the wire", "tts stop")

"""How slow real services are: published latencies as distributions, limits, throttling.

Pure: chance and time are passed in. A profile makes a stand-in behave like one service
on one kind of machine. `PROFILES` holds those with published figures; the `source` of
each says who measured it, and what of it is only estimated. A profile as JSON may name
a published one and change members: `{"name": "ollama-1.5b-4cpu", "slots": 2}`.

Latencies are log-normal through their published median and 95th percentile: long tails
to the right, as services have. Every request gets its own numbers from the seed and its
place in the order of requests, so that a run repeats whatever the timing.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping
from random import Random
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Service = Literal["chat", "speech", "transcription"]

#: The 95th percentile of the normal distribution, in standard deviations.
_Z95: Final = 1.6448536269514722
#: One piece's pause is its request's pace times something between these.
_UNEVEN: Final = (0.7, 1.3)
#: No draw is longer than this many 95th percentiles: the client gave up long before.
_LONGEST: Final = 6.0


class ProfileError(ValueError):
    """A profile that cannot be. The text names the member and what is allowed."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Frozen):
    """A distribution of milliseconds by two of its percentiles; both 0: no wait."""

    p50: float = Field(0.0, ge=0)
    p95: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Spread:
        if self.p95 < self.p50 or (self.p50 == 0 < self.p95):
            raise ValueError("p95 must be p50 or more, and both 0 or none")
        return self

    def draw(self, source: Random) -> float:
        if self.p50 == 0:
            return 0.0
        sigma = math.log(self.p95 / self.p50) / _Z95
        return min(self.p50 * math.exp(sigma * source.gauss(0.0, 1.0)), self.p95 * _LONGEST)


class Pace(_Frozen):
    """`first_ms` from the request to the first piece, `next_ms` between two further ones.

    A piece is a token of text or a chunk of sound. `next_ms` is drawn once a request.
    """

    first_ms: Spread = Spread()
    next_ms: Spread = Spread()


class Throttle(_Frozen):
    """When a service turns a client away: too many at once or in a minute, or in waves.

    After a refusal for its number a client stays banned for `ban_s`. A wave comes every
    `wave_every_s` (the first at a random moment of that) and lasts `wave_for_s`.
    """

    at_once: int | None = Field(None, ge=1)
    per_minute: int | None = Field(None, ge=1)
    status: int = Field(429, ge=400, le=599)
    ban_s: float = Field(0.0, ge=0)
    wave_every_s: float = Field(0.0, ge=0)
    wave_for_s: float = Field(0.0, ge=0)
    wave_status: int = Field(403, ge=400, le=599)


class Profile(_Frozen):
    """One service on one machine. Times in milliseconds, shares of 1.

    `slots` requests are served at once (None: any number), `queue` more wait, the next
    gets `full_status`. With n at once each is slower by n ** `crowding`. `error_share`
    of the requests get `error_status`, `cut_share` end in the middle of the answer.
    `burn_threads` processes burn `burn_share` of a core each while anything is served.
    """

    name: str
    source: str = ""
    connect_ms: Spread = Spread()
    chat: Pace = Pace()
    speech: Pace = Pace()
    transcription: Pace = Pace()
    slots: int | None = Field(None, ge=1)
    queue: int = Field(512, ge=0)
    full_status: int = Field(503, ge=400, le=599)
    crowding: float = Field(0.0, ge=0, le=2)
    throttle: Throttle = Throttle()
    error_share: float = Field(0.0, ge=0, le=1)
    error_status: int = Field(500, ge=400, le=599)
    cut_share: float = Field(0.0, ge=0, le=1)
    burn_threads: int = Field(0, ge=0, le=64)
    burn_share: float = Field(1.0, gt=0, le=1)

    def pace(self, service: Service) -> Pace:
        paces: dict[Service, Pace] = {
            "chat": self.chat,
            "speech": self.speech,
            "transcription": self.transcription,
        }
        return paces[service]


class Course:
    """What one request meets, drawn from the seed and its number."""

    def __init__(self, profile: Profile, service: Service, seed: int, number: int) -> None:
        source = Random(f"{seed} {number}")
        pace = profile.pace(service)
        self._crowding = profile.crowding
        self.connect_ms = profile.connect_ms.draw(source)
        self.first_ms = pace.first_ms.draw(source)
        self._next_ms = pace.next_ms.draw(source)
        self.error = profile.error_status if source.random() < profile.error_share else None
        #: After so many pieces the answer breaks off; None: it does not.
        self.cut_after = source.randint(1, 12) if source.random() < profile.cut_share else None
        self._source = source

    def slowed_first_ms(self, at_once: int) -> float:
        return self.first_ms * self._slower(at_once)

    def next_ms(self, at_once: int) -> float:
        """The pause before the next piece while `at_once` requests are served, this one too."""
        return self._next_ms * self._source.uniform(*_UNEVEN) * self._slower(at_once)

    def _slower(self, at_once: int) -> float:
        return float(max(1, at_once) ** self._crowding)


class Throttling:
    """Applies a `Throttle`. `now` is seconds of one clock, never going back."""

    def __init__(self, throttle: Throttle, seed: int, began: float) -> None:
        self._throttle = throttle
        self._recent: deque[float] = deque()
        self._banned_until = began
        self._wave_at = began + Random(f"wave {seed}").uniform(0.0, throttle.wave_every_s)

    def refusal(self, now: float, at_once: int) -> int | None:
        """The status for a request that would be the `at_once`-th at the moment, or None."""
        throttle = self._throttle
        if self._in_wave(now):
            return throttle.wave_status
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        many = throttle.at_once is not None and at_once > throttle.at_once
        often = throttle.per_minute is not None and len(self._recent) >= throttle.per_minute
        if many or often:
            self._banned_until = now + throttle.ban_s
        if many or often or now < self._banned_until:
            return throttle.status
        self._recent.append(now)
        return None

    def _in_wave(self, now: float) -> bool:
        every_s = self._throttle.wave_every_s
        if every_s <= 0 or now < self._wave_at:
            return False
        return (now - self._wave_at) % every_s < self._throttle.wave_for_s


NONE: Final = Profile(name="", source="as fast as this machine can")

_CPU_SOURCE: Final = (
    "17.07 tokens/s: a 1.5 B Q4_K_M on 4 vCPUs of a Xeon 8171M (nandan2003/edge-cpu-inference); "
    "8 parallel callers keep 16 % of solo speed each; OLLAMA_NUM_PARALLEL 1, OLLAMA_MAX_QUEUE 512 "
    "are the server's defaults. Estimated: the first token, from about 30 new tokens of a cached "
    "prompt read 4 times as fast as tokens are made, and the spreads"
)
_LOCAL_CHAT: Final = Pace(first_ms=Spread(p50=440, p95=900), next_ms=Spread(p50=58.6, p95=75))

PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile(
            name="ollama-1.5b-4cpu",
            source=_CPU_SOURCE,
            chat=_LOCAL_CHAT,
            slots=1,
            queue=512,
            crowding=0.88,
        ),
        Profile(
            name="ollama-1.5b-4cpu-parallel",
            source=_CPU_SOURCE + ". With OLLAMA_NUM_PARALLEL 4 and a queue of 8",
            chat=_LOCAL_CHAT,
            slots=4,
            queue=8,
            crowding=0.88,
        ),
        Profile(
            name="ollama-1.5b-4cpu-burning",
            source=_CPU_SOURCE + ". Takes the 2 cores of the plan's budget while it answers",
            chat=_LOCAL_CHAT,
            slots=1,
            queue=512,
            crowding=0.88,
            burn_threads=2,
        ),
        Profile(
            name="gpt-4o-mini",
            source="first token p50 645, p95 1094 ms, 105 tokens/s, no errors in 10 080 probes over "
            "7 days (jonathanwrede.de, llmprobe). Estimated: the spread of the pace",
            chat=Pace(first_ms=Spread(p50=645, p95=1094), next_ms=Spread(p50=9.5, p95=20)),
            speech=Pace(first_ms=Spread(p50=330, p95=700), next_ms=Spread(p50=15, p95=40)),
            transcription=Pace(first_ms=Spread(p50=700, p95=1800)),
        ),
        Profile(
            name="deepseek-chat",
            source="first token p50 1068, p95 3017 ms, 26 tokens/s, 4 errors in 10 080 probes over "
            "7 days (jonathanwrede.de, llmprobe). Estimated: the spread of the pace",
            chat=Pace(first_ms=Spread(p50=1068, p95=3017), next_ms=Spread(p50=38.5, p95=70)),
            error_share=0.0004,
            error_status=503,
        ),
        Profile(
            name="openai-audio",
            source="speech: 200 to 500 ms to the first byte (reports in OpenAI's forum). Estimated: "
            "the tail, the pace, and transcription",
            speech=Pace(first_ms=Spread(p50=330, p95=700), next_ms=Spread(p50=15, p95=40)),
            transcription=Pace(first_ms=Spread(p50=700, p95=1800)),
        ),
        Profile(
            name="edge",
            source="0.667 s a call (xinnan-tech/xiaozhi-esp32-server's own test); trouble beyond "
            "about 40 connections at once, a ban of minutes then (rany2/edge-tts#102, #21). "
            "Estimated: how the call divides, and the tail",
            connect_ms=Spread(p50=250, p95=600),
            speech=Pace(first_ms=Spread(p50=340, p95=900), next_ms=Spread(p50=4, p95=12)),
            throttle=Throttle(at_once=40, status=429, ban_s=300),
        ),
        Profile(
            name="edge-throttled",
            source="the same service on a bad day: few at once, waves of 403 "
            "(rany2/edge-tts#122, #452; edge-tts releases). Estimated: how often and how long",
            connect_ms=Spread(p50=250, p95=900),
            speech=Pace(first_ms=Spread(p50=500, p95=2500), next_ms=Spread(p50=8, p95=40)),
            throttle=Throttle(at_once=6, ban_s=10, wave_every_s=120, wave_for_s=15),
            error_share=0.01,
            error_status=503,
        ),
    )
}


def parse(data: Any) -> Profile:
    """A profile from its name, or from JSON (text or read). Raises `ProfileError`.

    An object whose `name` is a published one changes that; "" is no profile at all.
    """
    if isinstance(data, str):
        if data.lstrip().startswith("{"):
            try:
                return parse(json.loads(data))
            except json.JSONDecodeError as error:
                raise ProfileError(f"the profile is no JSON: {error}") from None
        if data and data not in PROFILES:
            raise ProfileError(f"{data!r} is no profile; known are {', '.join(PROFILES)}")
        return PROFILES[data] if data else NONE
    if not isinstance(data, dict):
        raise ProfileError("a profile is a name or a JSON object")
    base = PROFILES.get(str(data.get("name", "")))
    members = base.model_dump() | data if base else data
    try:
        return Profile.model_validate(members)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the profile"
        raise ProfileError(f"{where}: {first['msg']}") from None

"""The firmware generations in the field, as far as they differ in playing audio.

Behaviour of 78/xiaozhi-esp32 at its tags (main/application.cc, main/audio/audio_service.cc).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Firmware:
    """How one generation differs. `queue_packets` wait undecoded, `pcm_packets` decoded.

    Opening the microphone empties the queue from 1.7 on; only the newer ones play it
    out first, in auto mode, and 2.2.6 does nothing else meanwhile.
    """

    name: str
    queue_packets: int
    pcm_packets: int
    queues_in_any_state: bool = False
    microphone_clears: bool = False
    waits_until_played: bool = False
    blocks_while_waiting: bool = False


#: By the first version of each generation.
GENERATIONS: Mapping[str, Firmware] = MappingProxyType(
    {
        each.name: each
        for each in (
            Firmware("1.6", 10, 1, queues_in_any_state=True),
            Firmware("1.7", 40, 1, microphone_clears=True),
            Firmware("1.8", 40, 2, microphone_clears=True),
            Firmware(
                "2.2.6",
                40,
                2,
                microphone_clears=True,
                waits_until_played=True,
                blocks_while_waiting=True,
            ),
            Firmware("2.4", 40, 2, microphone_clears=True, waits_until_played=True),
        )
    }
)

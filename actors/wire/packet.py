"""How long an Opus packet lasts, read from its first two bytes (RFC 6716, section 3)."""

from __future__ import annotations

MAX_PACKET_MS = 120.0


def packet_ms(packet: bytes) -> float:
    """Duration in milliseconds; 0 for an empty or malformed packet. Decodes nothing."""
    if not packet:
        return 0.0
    config, count_code = packet[0] >> 3, packet[0] & 0x03
    if config < 12:
        frame_ms = (10.0, 20.0, 40.0, 60.0)[config & 3]
    elif config < 16:
        frame_ms = (10.0, 20.0)[config & 1]
    else:
        frame_ms = (2.5, 5.0, 10.0, 20.0)[config & 3]
    if count_code < 3:
        count = 1 if count_code == 0 else 2
    else:
        count = packet[1] & 0x3F if len(packet) > 1 else 0
    duration_ms = frame_ms * count
    return duration_ms if duration_ms <= MAX_PACKET_MS else 0.0

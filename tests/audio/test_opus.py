"""Packets there and back."""

from __future__ import annotations

import numpy as np
import pytest

from actors.audio.opus import Decoder, Encoder, OpusError


def test_a_frame_comes_back_as_long_as_it_was() -> None:
    packet = Encoder(16000, 60).encode(np.zeros(960, np.int16))
    assert len(Decoder(16000).decode(packet)) == 960


def test_an_empty_packet_is_no_audio() -> None:
    assert len(Decoder().decode(b"")) == 0


def test_garbage_is_an_opus_error() -> None:
    with pytest.raises(OpusError, match="corrupted stream"):
        Decoder().decode(b"\xff" * 3)

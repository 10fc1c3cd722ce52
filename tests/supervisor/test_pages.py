"""Which memory is put into huge pages, and that doing so changes nothing in it."""

from __future__ import annotations

import os

from supervisor import pages

MB = 1 << 20
MAPS = [
    "00400000-00a00000 rw-p 00000000 00:00 0                                  [heap]\n",
    "10100000-10500000 rw-p 00000000 00:00 0 \n",
    "20000000-20200000 r--p 00000000 00:00 0 \n",
    "30000000-30400000 rw-p 00000000 08:01 1234                               /lib/some.so\n",
    "40000000-40400000 rw-s 00000000 00:01 1234                               /dev/zero (deleted)\n",
    "50000000-501ff000 rw-p 00000000 00:00 0 \n",
    "60000000-60400000 rw-p 00000000 00:00 0                                  [stack]\n",
]


def test_whole_huge_pages_of_private_memory_without_a_file() -> None:
    assert [hex(at) for at in pages.huge_ranges(MAPS)] == [
        *("0x400000", "0x600000", "0x800000"),
        "0x10200000",  # from the first whole one to the last
    ]


def test_what_is_in_memory_stays_there_and_a_child_has_it_too() -> None:
    kept = bytearray(os.urandom(MB)) * 9
    before = bytes(kept)
    assert pages.gather() >= 0
    assert kept == before
    child = os.fork()
    if child == 0:
        kept[5 * MB] ^= 1
        os._exit(0 if kept[: 5 * MB] == before[: 5 * MB] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert kept == before

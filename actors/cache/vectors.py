"""Which stored vectors are nearest to this one: exact enough, and within milliseconds.

Pure. Every vector is kept twice: as one bit a dimension, after a fixed rotation
that spreads what it says over all of them (Charikar's sign hashing), and in half
precision. A search counts differing bits over all rows, then takes the true
cosine of the best few hundred. 50 000 rows of 512: 3 MB of codes, 51 MB of
vectors. All rows are asked of the system at once, which gives a page when it is first
written: nothing is ever copied to grow, and what is not used costs nothing.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Rows whose cosine is computed after the count of bits.
RERANKED: Final = 200


def _signs(width: int) -> NDArray[np.float32]:
    """By which the rotation flips dimensions: taken from a hash, and always the same."""
    return np.array(
        [
            1.0 if hashlib.blake2b(b"sign %d" % at, digest_size=1).digest()[0] & 1 else -1.0
            for at in range(width)
        ],
        dtype=np.float32,
    )


def _hadamard(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The fast Walsh-Hadamard transform (Sylvester's order) of a power of two of values.

    No matrix product: that would wake the linear algebra's own threads for each question.
    """
    half = 1
    while half < len(vector):
        pairs = vector.reshape(-1, 2, half)
        vector = np.concatenate(
            (pairs[:, :1] + pairs[:, 1:], pairs[:, :1] - pairs[:, 1:]), axis=1
        ).reshape(-1)
        half *= 2
    return vector


class Vectors:
    """Up to `capacity` vectors in numbered slots; a slot is set, searched, cleared."""

    def __init__(self, dimensions: int, capacity: int) -> None:
        self.dimensions = dimensions
        self.capacity = capacity
        self._width = max(64, 1 << max(dimensions - 1, 1).bit_length())
        self._signs = _signs(self._width)
        # word by word, so that a count runs along the rows
        self._codes = np.zeros((self._width // 64, capacity), dtype=np.uint64)
        self._rows = np.zeros((capacity, dimensions), dtype=np.float16)
        self._group = np.zeros(capacity, dtype=np.int32)  # 0: no vector; else its group + 1
        self._used = 0

    @property
    def size_bytes(self) -> int:
        """Of the slots in use."""
        row = self._codes.itemsize * self._codes.shape[0] + self._rows.itemsize * self.dimensions
        return self._used * (row + self._group.itemsize)

    def set(self, slot: int, vector: NDArray[np.float32], group: int) -> None:
        """Store a unit vector; `group` keeps apart what must not be found together."""
        if slot >= self.capacity:
            raise IndexError(f"slot {slot} is beyond the capacity of {self.capacity} vectors")
        self._used = max(self._used, slot + 1)
        self._codes[:, slot] = self._code(vector)
        self._rows[slot] = vector
        self._group[slot] = group + 1

    def clear(self, slot: int) -> None:
        self._group[slot] = 0

    def get(self, slot: int) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self._rows[slot].astype(np.float32)
        return row

    def nearest(
        self, vector: NDArray[np.float32], group: int, count: int, at_least: float
    ) -> list[tuple[int, float]]:
        """Slots of this group by falling cosine, at most `count`, none below `at_least`."""
        distance = np.zeros(self._used, dtype=np.uint16)
        for words, word in zip(self._codes, self._code(vector), strict=True):
            distance += np.bitwise_count(words[: self._used] ^ word)
        distance[self._group[: self._used] != group + 1] = self._width + 1
        if len(distance) > RERANKED:
            near = np.argpartition(distance, RERANKED)[:RERANKED]
        else:
            near = np.arange(len(distance))
        near = near[distance[near] <= self._width]
        cosine = np.einsum("ij,j->i", self._rows[near].astype(np.float32), vector)
        order = np.lexsort((near, -cosine))[:count]
        return [(int(near[at]), float(cosine[at])) for at in order if cosine[at] >= at_least]

    def _code(self, vector: NDArray[np.float32]) -> NDArray[np.uint64]:
        padded = np.zeros(self._width, dtype=np.float32)
        padded[: self.dimensions] = vector
        return np.packbits(_hadamard(padded * self._signs) > 0).view(np.uint64)

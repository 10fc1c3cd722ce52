"""python -m tests.cache.disk_program FOLDER: learns, writes, says so, and waits for its end."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.cache.instance import instance

LIFE_S = 30.0


async def main(folder: Path) -> None:
    async with instance(folder) as made:
        made.learn("中国的首都是哪里", "北京。")
        for number in range(100):
            made.learn(f"第{number}号博物馆里有什么", "石头。")
        assert await made.disk.flush()
        print("written", flush=True)
        await asyncio.sleep(LIFE_S)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

"""python -m tests.cache.scale: the answer cache when it is full, in figures.

Fills an index with made-up household questions, each unlike the others by one word at
least; then searches, goes beyond the limit, writes all to disk, starts again from there
while questions are asked, and, with --redis, shares all with a second instance through
a real server. Run by hand; the figures are in docs/measurements.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

from actors.cache import libraries
from actors.cache.canonical import canonical
from actors.cache.normalise import normalise
from tests.cache.instance import SCOPE, Instance, instance
from tests.cache.redis_server import PROGRAM, RedisServer

THINGS = (
    *("大象", "长颈鹿", "企鹅", "熊猫", "鲸鱼", "蜜蜂", "蝴蝶", "恐龙", "火山", "地震", "彩虹"),
    *("闪电", "黑洞", "月亮", "太阳", "火星", "土星", "银河", "地铁", "飞机", "轮船", "火箭"),
    *("冰箱", "微波炉", "洗衣机", "豆腐", "米饭", "面包", "牛奶", "蜂蜜", "西瓜", "葡萄"),
)
PLACES = (
    *("北京", "上海", "广州", "成都", "西安", "杭州", "南京", "武汉", "重庆", "天津", "苏州"),
    *("青岛", "大连", "厦门", "昆明", "拉萨", "哈尔滨", "沈阳", "长沙", "郑州", "济南", "福州"),
)
ASKED = (
    *(
        "{place}第{n}中学的{thing}有多重",
        "{place}的第{n}种{thing}吃什么",
        "{thing}在{place}有{n}种吗",
    ),
    *("{place}博物馆的{n}号{thing}是什么颜色", "为什么{place}有{n}个{thing}"),
)


def questions(count: int) -> list[str]:
    """Always the same."""
    made = (
        form.format(place=place, thing=thing, n=n)
        for n, place, form, thing in itertools.product(range(2, 99), PLACES, ASKED, THINGS)
    )
    return list(itertools.islice(made, count))


def forget_texts() -> None:
    """The language's own caches would make what was seen before too cheap."""
    for cached in (libraries.tagged, libraries.simplified, libraries.number, canonical, normalise):
        cached.cache_clear()


def spread(times_ms: Sequence[float]) -> str:
    p50, p95, most = np.percentile(times_ms, [50, 95, 100])
    return f"p50 {p50:.2f} ms, p95 {p95:.2f} ms, max {most:.2f} ms"


def timed(work: Callable[[str], object], texts: Sequence[str]) -> list[float]:
    times: list[float] = []
    for text in texts:
        began = time.perf_counter()
        work(text)
        times.append((time.perf_counter() - began) * 1000)
    return times


def memory_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


async def fill(made: Instance, asked: Sequence[str]) -> None:
    before_mb, took_s = memory_mb(), 0.0
    for number, text in enumerate(asked):
        began = time.perf_counter()
        made.index.learn(text, f"{text}的回答是这样的。\n还有一句。", SCOPE, time.time())
        took_s += time.perf_counter() - began
        if number % 5000 == 4999:
            await made.disk.flush()
    print(f"filled: {len(made.index)} entries, {len(asked) / took_s:.0f} learned a second")
    print(
        f"  memory +{memory_mb() - before_mb:.0f} MB, of it vectors {made.index.vector_bytes / 1e6:.0f} MB"
    )


def search(made: Instance, asked: Sequence[str]) -> None:
    chance = np.random.default_rng(5)
    some = [asked[at] for at in chance.integers(0, len(asked), 400)]
    forget_texts()
    print(f"  asked as it was learned: {spread(timed(made.ask, some))}")
    forget_texts()
    print(f"  asked in other words: {spread(timed(made.ask, ['请问' + t + '呢' for t in some]))}")
    forget_texts()
    unknown = [t.replace("有", "没有").replace("的", "那里的", 1) + "吗" for t in some]
    print(f"  unknown, but like many: {spread(timed(made.ask, unknown))}")


def beyond(made: Instance, more: Sequence[str]) -> None:
    times = timed(lambda t: made.index.learn(t, "回答。", SCOPE, time.time()), more)
    counts = made.index.counts
    print(
        f"beyond the limit: {len(more)} more learned, {len(made.index)} entries, "
        f"{counts.evicted} evicted; {spread(times)} each"
    )


async def asking(made: Instance, texts: Sequence[str], until: Callable[[], bool]) -> list[float]:
    """Ask every 10 ms; the time until the loop comes to it and the answer are counted."""
    times: list[float] = []
    for text in itertools.cycle(texts):
        if until():
            return times
        due = time.perf_counter() + 0.01
        await asyncio.sleep(0.01)
        made.asked = True
        made.ask(text)
        made.asked = False
        times.append((time.perf_counter() - due) * 1000)
    return times


async def disk(folder: Path, entries: int, asked: Sequence[str], more: Sequence[str]) -> None:
    async with instance(folder, capacity=entries, ttl_s=7200.0, dimensions=512) as made:
        await fill(made, asked)
        search(made, asked)
        await settle(made)
        beyond(made, more)
        await settle(made)
        size_mb = made.disk.file.stat().st_size / 1e6
        print(f"on disk: {made.disk.state()['disk_entries']} answers, {size_mb:.0f} MB")


async def settle(made: Instance) -> None:
    began = time.perf_counter()
    waited = len(made.disk._pending)
    await made.disk.flush()
    print(f"  {waited} changes written in {time.perf_counter() - began:.1f} s")


async def restart(folder: Path, entries: int, asked: Sequence[str]) -> None:
    forget_texts()
    before_mb = memory_mb()
    made = Instance(folder, entries, 7200.0, 512)
    began = time.perf_counter()
    await made.disk.open()
    restoring = asyncio.create_task(made.replica.from_disk())
    opened_s = time.perf_counter() - began
    times = await asking(made, asked[-2000:], restoring.done)
    await restoring
    took_s = time.perf_counter() - began
    print(
        f"started again: file opened in {opened_s * 1000:.0f} ms, {len(made.index)} back in {took_s:.1f} s"
    )
    print(f"  memory +{memory_mb() - before_mb:.0f} MB")
    print(f"  asked meanwhile, {len(times)} times: {spread(times)}")
    await made.disk.close()


async def sharing(folder: Path, entries: int, asked: Sequence[str]) -> None:
    (folder / "redis").mkdir()
    server = RedisServer(folder / "redis")
    options = {"capacity": entries, "ttl_s": 7200.0, "dimensions": 512, "timeout_s": 0.5}
    try:
        began = time.perf_counter()
        async with instance(folder, server.url, **options) as first:  # type: ignore[arg-type]
            times = await asking(
                first, asked[-2000:], lambda: first.redis == "connected" and not first.waiting()
            )
            used = (
                server.command("INFO", "memory").decode().split("used_memory_human:")[1].split()[0]
            )
            count = server.number("ZCARD", "test:answers:used")
            print(
                f"shared: {count} answers given to redis in {time.perf_counter() - began:.1f} s, {used}"
            )
            print(f"  asked meanwhile: {spread(times)}")
            began = time.perf_counter()
            other = folder / "other"
            async with instance(other, server.url, **options) as second:  # type: ignore[arg-type]
                times = await asking(
                    second,
                    asked[-2000:],
                    lambda: second.redis == "connected" and len(second.index) >= count,
                )
                print(
                    f"  a second instance has {len(second.index)} after {time.perf_counter() - began:.1f} s"
                )
                print(f"  asked there meanwhile: {spread(times)}")
    finally:
        server.stop()


PHASES = ("disk", "restart", "sharing")


def phase(name: str, folder: Path, entries: int) -> None:
    """In a process of its own, so that its memory is."""
    libraries.load()
    sys.setswitchinterval(0.0005)  # as the actor does
    asked = questions(entries + 1000)
    asked, more = asked[:entries], asked[entries:]
    if name == "disk":
        asyncio.run(disk(folder, entries, asked, more))
    elif name == "restart":
        asyncio.run(restart(folder, entries, asked))
    else:
        asyncio.run(sharing(folder, entries, asked))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cache.scale", description=__doc__)
    parser.add_argument("--entries", type=int, default=50_000)
    parser.add_argument("--redis", action="store_true", help="share through a real redis-server")
    options = parser.parse_args()
    phases = PHASES if options.redis and PROGRAM is not None else PHASES[:2]
    with tempfile.TemporaryDirectory() as name:
        for each in phases:
            process = multiprocessing.get_context("spawn").Process(
                target=phase, args=(each, Path(name), options.entries)
            )
            process.start()
            process.join()


if __name__ == "__main__":
    main()

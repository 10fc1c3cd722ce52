"""The page, as a real browser shows it."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from actors.messages import ActorReport
from tests.console.browser import PROGRAM, Tab, chromium_tab
from tests.console.instance import WHOLE, Instance, in_state, without

PAGE = Path(__file__).parents[2] / "actors" / "console" / "page.html"

HOSTILE = "<img src=x onerror=document.title='owned'>"


def test_page_needs_nothing_from_elsewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert re.findall(r"""(?:src|href)=["']([^"']*)""", text) == ["data:,", "/status"]
    assert "innerHTML" not in text


@pytest.mark.system
@pytest.mark.skipif(not PROGRAM.exists(), reason=f"no {PROGRAM}: apt-get install chromium")
def test_page_in_a_browser(tmp_path: Path) -> None:
    """One browser for all, since its start is the dear part."""
    instance = Instance()

    async def scenario() -> None:
        async with asyncio.timeout(55), chromium_tab(tmp_path) as tab:
            async with instance.served():
                await tab.emulate(1280, 900)
                await tab.open(instance.url + "/")
                await shows_the_whole_instance(tab, instance)
                await fits_every_screen(tab)
                await follows_what_happens(tab, instance)
                await shows_hostile_text_as_text(tab, instance)
                assert tab.console == []
            await says_that_nobody_answers(tab)

    asyncio.run(scenario())


async def shows_the_whole_instance(tab: Tab, instance: Instance) -> None:
    await tab.until("document.getElementById('ready').textContent === 'ready'")
    shown = await tab.evaluate("document.body.innerText")
    for report in instance.reports:
        assert report.name in shown
    assert "aa:bb" in shown
    assert "speaking" in shown
    assert "embedded" in shown
    assert "/xiaozhi/ota/" in shown
    assert ":8000/xiaozhi/v1/" in shown
    assert await tab.evaluate("document.getElementById('missing').hidden") is True
    assert await tab.evaluate("document.getElementById('answers-part').hidden") is False
    for words in ("120 of at most 50000", "75 %: exact 9", "6 calls of a model", "redis not used"):
        assert words in shown


async def fits_every_screen(tab: Tab) -> None:
    """Nothing sticks out at phone width, and both colour schemes are themselves."""
    grounds = {}
    for scheme in ("light", "dark"):
        for width_px in (1280, 390, 320):
            await tab.emulate(width_px, 844, scheme)
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width_px
            if folder := os.environ.get("PAGE_SHOTS"):
                await tab.screenshot(Path(folder) / f"page-{width_px}-{scheme}.png")
        grounds[scheme] = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
    light, dark = (sum(map(int, re.findall(r"\d+", grounds[scheme]))) for scheme in grounds)
    assert light > 600
    assert dark < 150


async def follows_what_happens(tab: Tab, instance: Instance) -> None:
    instance.reports = in_state("llm", "failed", "no answer from the model")
    instance.now_s += 60
    await tab.until("document.getElementById('ready').textContent === 'not ready'")
    assert "no answer from the model" in await tab.evaluate(
        "document.getElementById('missing').innerText"
    )
    instance.reports = without("session")
    instance.now_s += 60
    await tab.until("document.getElementById('missing').hidden")
    assert await tab.evaluate("document.getElementById('no-devices').hidden") is False


async def shows_hostile_text_as_text(tab: Tab, instance: Instance) -> None:
    hostile = ActorReport(
        "session-1", "session", 1, HOSTILE, detail={"device": HOSTILE, HOSTILE: 1}
    )
    instance.reports = (*(replace(report, name=HOSTILE) for report in WHOLE), hostile)
    instance.now_s += 60
    await tab.evaluate("void refresh()")
    await tab.until("document.getElementById('devices').innerText.includes('onerror')")
    assert await tab.evaluate("document.querySelectorAll('img').length") == 0
    assert await tab.evaluate("document.title") == "xiaozhi server"


async def says_that_nobody_answers(tab: Tab) -> None:
    await tab.evaluate("void refresh()")
    await tab.until("!document.getElementById('silence').hidden")
    assert "does not answer" in await tab.evaluate("document.getElementById('silence').innerText")

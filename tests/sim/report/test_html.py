"""The report as a file and as a browser shows it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sim.report import comparison_html, html, summary, write_comparison, write_html
from sim.swarm.records import Run, RunVerdict
from tests.console.browser import PROGRAM, chromium_tab
from tests.sim.report import runs

_VOID = frozenset({"meta", "link", "br", "rect", "path"})


class Outline(HTMLParser):
    """Checks that tags close in order; collects what is shown and what is fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.fetched: list[str] = []
        self.scripts = 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def levels() -> Run:
    return runs.run(minutes=2.0)


def test_the_verdict_comes_first_and_every_part_is_there(levels: Run) -> None:
    told = Outline(html(levels)).text
    parts = [
        "FAILED",
        "limits missed",
        "Knee: 40 talking devices",
        "Limits",
        "First word",
        "By phase",
        "Faults",
        "during a fault or just after",
        "Turns to look at",
        "The server's processes",
        "Every latency",
        "Host and generator",
        "Connections that failed",
        "To do it again",
    ]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)


def test_one_level_may_come_twice(levels: Run) -> None:
    """As in a run that repeats a level with warm caches."""
    first = next(phase for phase in levels.phases if phase.counted)
    again = tuple(
        replace(phase, talkers=first.talkers) if phase is levels.phases[-1] else phase
        for phase in levels.phases
    )
    assert len({phase.talkers for phase in again}) < len(levels.phases)
    assert "By phase" in Outline(html(replace(levels, phases=again))).text


def test_it_needs_nothing_else(levels: Run) -> None:
    page = Outline(html(levels))
    assert page.scripts == 0
    assert page.fetched == ["data:,"]
    assert "@import" not in html(levels)
    assert "url(" not in html(levels)


def test_it_stays_small(levels: Run) -> None:
    assert len(html(levels)) < 500_000
    turns = levels.turns * 10
    assert len(html(replace(levels, turns=turns))) < 600_000


def test_the_same_run_gives_the_same_report(levels: Run) -> None:
    assert html(levels) == html(levels)


def test_hostile_words_are_shown_as_words(levels: Run) -> None:
    hostile = "<script>alert(1)</script>'\"&"
    info = replace(levels.info, name=hostile, about=hostile, command=hostile, target=hostile)
    info = replace(info, scenario={hostile: hostile})
    turns = tuple(
        replace(turn, answer=hostile, said=hostile, problems=(hostile,), phase=turn.phase)
        for turn in levels.turns
    )
    told = replace(levels, info=info, turns=turns, verdict=RunVerdict(False, hostile))
    page = Outline(html(told))
    assert page.scripts == 0
    assert hostile in page.text
    assert Outline(comparison_html(told, told)).scripts == 0


def test_a_run_that_never_began_has_its_verdict(tmp_path: Path) -> None:
    write_html(runs.empty(), tmp_path / "report.html")
    told = Outline((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "CUT SHORT unreachable: nobody answers on port 8000" in told
    assert "First word" not in told.partition("What the words mean")[0]
    assert Outline(comparison_html(runs.empty(), runs.empty())).text


def test_void_and_passed_runs_say_so(levels: Run) -> None:
    void = RunVerdict(False, "void: the generator was late", ("the generator was late", "b"))
    assert "VOID the generator was late b" in Outline(html(replace(levels, verdict=void))).text
    passed = replace(levels, verdict=RunVerdict(True, "all 7 limits held"))
    assert "PASSED all 7 limits held" in Outline(html(passed)).text


def test_recoveries_and_soak_are_told_in_a_terminal(levels: Run) -> None:
    lines = summary(levels).splitlines()
    assert lines[0].split()[:3] == ["actor", "fault", "times"]
    assert any(re.match(r"acceptor +kill +\d+ +\d+ +0\.02", line) for line in lines)
    assert any(line.startswith("broken    ") for line in lines)
    assert lines[-1].startswith("verdict   FAILED")
    soak = summary(runs.run(levels=(5,), minutes=15, faults=False))
    assert soak.startswith("figure")


def test_two_runs_are_compared(levels: Run, tmp_path: Path) -> None:
    faster = runs.run(minutes=2.0, seed=2, slower=0.8)
    write_comparison(levels, faster, tmp_path / "compare.html")
    told = Outline((tmp_path / "compare.html").read_text(encoding="utf-8")).text
    for part in ("Two runs compared", "before, median", "Where the time goes", "Every figure"):
        assert part in told
    assert "better" in told


@pytest.mark.system
@pytest.mark.skipif(not PROGRAM.exists(), reason=f"no {PROGRAM}: apt-get install chromium")
def test_a_browser_shows_it_on_a_phone_and_a_desk_by_day_and_night(
    levels: Run, tmp_path: Path
) -> None:
    report, compared = tmp_path / "report.html", tmp_path / "compare.html"
    write_html(levels, report)
    write_comparison(levels, levels, compared)

    async def look() -> None:
        async with asyncio.timeout(50), chromium_tab(tmp_path / "profile") as tab:
            for path in (report, compared):
                for width_px in (390, 1280):
                    for scheme in ("light", "dark"):
                        await tab.emulate(width_px, 900, scheme)
                        await tab.open(path.as_uri())
                        reach = await tab.evaluate("document.documentElement.scrollWidth")
                        assert reach <= width_px
                        ground = await tab.evaluate(
                            "getComputedStyle(document.body).backgroundColor"
                        )
                        assert (ground == "rgb(20, 23, 27)") == (scheme == "dark")
            drawn = "[...document.querySelectorAll('svg')].every(s => s.clientHeight > 60)"
            assert await tab.evaluate(drawn)
            assert tab.console == []

    asyncio.run(look())

"""What operators ask of the answers, done on the desk's thread: why, forget, clear, move.

Gives plain data for JSON. An import is done in small steps, so that no session's
question waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from actors import questions
from actors.cache.copies import Copies
from actors.cache.desk import Desk
from actors.cache.entries import Entry, Scope
from actors.cache.index import AnswerIndex
from actors.cache.lines import Line, LineWrong, from_line, to_line
from actors.questions import CacheQuestion, CacheReply

#: Entries in one page of an export, and its bytes, about.
_PAGE: Final = 100
_PAGE_BYTES: Final = 48_000
#: Scopes in which `why` looks.
_SCOPES: Final = 4
#: Wrong lines that are named in one reply.
_NAMED: Final = 50
#: The disk may take so long to write down what was forgotten.
_WRITTEN_S: Final = 2.0

_NOT_WRITTEN: Final = (
    "it is not on disk yet, and a restart now may bring it back: see 'disk' in stats"
)
_RESTORING: Final = "what is stored is still being read, and would come back: try again in a moment"


class Office:
    """One owner: the answers actor's engine thread."""

    def __init__(
        self,
        desk: Desk,
        copies: Copies,
        figures: Callable[[], dict[str, Any]],
        wall: Callable[[], float],
        written: Callable[[], Awaitable[bool]],
    ) -> None:
        """`written` returns once this host's disk has everything; False: it cannot write."""
        self._desk = desk
        self._copies = copies
        self._figures = figures
        self._wall = wall
        self._written = written
        self._exported: tuple[str, ...] = ()

    @property
    def _index(self) -> AnswerIndex:
        return self._desk.index

    async def reply(self, question: CacheQuestion) -> CacheReply:
        """Do it."""
        match question:
            case questions.CacheStats(request):
                return CacheReply(request, self._figures())
            case questions.WhyAnswer(request, text, context):
                return CacheReply(request, self._why(text, context))
            case questions.ForgetAnswer(request, text):
                if self._figures().get("restoring"):
                    return CacheReply(request, problem=_RESTORING)
                return CacheReply(request, await self._forget(text))
            case questions.ClearAnswers(request):
                return CacheReply(request, await self._clear())
            case questions.ExportAnswers(request, after):
                return self._export(request, after)
            case questions.ImportAnswers(request, first, lines):
                return CacheReply(request, await self._import(first, lines))

    async def _forget(self, text: str) -> dict[str, Any]:
        count = len(self._index.forget_question(text))
        return await self._told(count)

    async def _clear(self) -> dict[str, Any]:
        entries = self._index.entries()
        count = self._index.clear()
        self._copies.clear(entries)
        return await self._told(count)

    async def _told(self, count: int) -> dict[str, Any]:
        """Once nothing that happens from now on brings it back; a slow disk is not awaited."""
        writing = asyncio.ensure_future(self._written())
        done, _ = await asyncio.wait((writing,), timeout=_WRITTEN_S)
        written = bool(done) and writing.result()
        return {"forgotten": count} | ({} if written else {"warning": _NOT_WRITTEN})

    def _why(self, text: str, context: str) -> dict[str, Any]:
        scopes = self._desk.scopes() or self._stored_scopes() or (Scope(),)
        found = []
        for scope in scopes[:_SCOPES]:
            told = self._index.why(text, scope, self._wall(), context=context)
            found.append({"scope": str(scope), "explanation": str(told)})
        bank = self._desk.from_bank(text)
        said = " ".join(bank.clauses) if bank is not None else ""
        return {"bank": said, "asked_before": bool(self._desk.scopes()), "scopes": found}

    def _stored_scopes(self) -> tuple[Scope, ...]:
        """Before anybody has asked: those of what is known already."""
        return tuple(dict.fromkeys(entry.scope for entry in self._index.entries()))

    def _export(self, request: int, after: int) -> CacheReply:
        if after == 0:
            self._exported = self._index.ids()
        elif after > len(self._exported):
            return CacheReply(request, problem="this export is not known any more: start it again")
        lines: list[str] = []
        size = 0
        place = after
        while place < len(self._exported) and len(lines) < _PAGE and size < _PAGE_BYTES:
            entry = self._index.entry(self._exported[place])
            place += 1
            if entry is not None:
                lines.append(to_line(entry, self._wall()))
                size += len(lines[-1].encode())
        following = place if place < len(self._exported) else 0
        return CacheReply(
            request, {"lines": lines, "next": following, "total": len(self._exported)}
        )

    async def _import(self, first: int, lines: tuple[str, ...]) -> dict[str, Any]:
        taken = 0
        wrong: list[dict[str, Any]] = []
        for number, line in enumerate(lines, first):
            if line.strip():
                try:
                    self._take(from_line(line, self._index.ttl_s))
                    taken += 1
                except LineWrong as error:
                    wrong.append({"line": number, "field": error.field, "problem": error.problem})
            await asyncio.sleep(0)
        return {"taken": taken, "wrong_count": len(wrong), "wrong": wrong[:_NAMED]}

    def _take(self, line: Line) -> None:
        """Put one answer in. Raises `LineWrong`."""
        verdict = self._index.may_keep(line.question)
        if not verdict.cacheable and not (verdict.kind == "context" and line.context):
            problem = f"it is never answered from here ({verdict.reason})"
            if verdict.kind not in ("never", "empty", "objection"):
                problem += "; answer_cache.always would allow it"
            raise LineWrong("question", problem)
        scope = line.scope or next(iter(self._desk.scopes()), None)
        if scope is None:
            raise LineWrong("scope", "it is missing, and no device has asked yet to tell which")
        if line.seconds_left <= 0:
            raise LineWrong("seconds_left", "it is over already")
        now_s = self._wall()
        entry = Entry(
            line.question,
            line.answer,
            scope,
            now_s,
            now_s + line.seconds_left,
            self._index.form_of(line.question),
            line.context,
            line.emotion,
            line.hits,
            line.strikes,
            line.threshold,
            line.took_ms,
        )
        entry = replace(entry, learned_s=self._copies.learned_s(entry.id, now_s))
        self._index.put(entry, now_s)
        self._copies.kept(entry)

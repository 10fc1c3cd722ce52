"""A session's turns: one at a time, each with a number of its own, and what was said. Pure."""

from __future__ import annotations

from actors.effects import Effect
from actors.messages import TurnId
from actors.session.checkpoint import SessionState
from actors.session.ready import ReadyPhrases
from actors.session.scope import scope_of
from actors.session.turn import Setting, Stage, Turn
from cfg.model import Settings

#: What the checkpoint calls the stages of a turn.
_PHASES = {
    Stage.HEARING: "hearing",
    Stage.RECOGNISING: "thinking",
    Stage.ANSWERING: "speaking",
    Stage.ENDED: "speaking",
}


class Turns:
    """`current` is the turn that runs. `phrases`, speech kept ready, is for those to come."""

    def __init__(
        self,
        settings: Settings,
        state: SessionState,
        phrases: ReadyPhrases,
        out: list[Effect],
    ) -> None:
        self.current: Turn | None = None
        self.phrases = phrases
        self._settings = settings
        self._scope = scope_of(settings)
        self._state = state
        self._out = out

    def begin(self, now: float, carried: str = "") -> Turn:
        """The next turn; one that runs is interrupted by it. `carried`: words it goes on with."""
        self.drop(now, "the next turn")
        state = self._state
        state.turn += 1
        setting = Setting(
            self._settings,
            state.device_id,
            state.mode == "manual",
            tuple((role, text) for role, text in state.dialogue),
            self.phrases,
            self._scope,
            carried,
        )
        self.current = Turn(TurnId(state.session_id, state.turn), setting, self._out, now)
        return self.current

    def drop(self, now: float, reason: str) -> None:
        """Interrupt the turn that runs, if one does."""
        if self.current is not None:
            self.current.interrupt(now, reason)
            self.ended()

    def ended(self) -> Turn | None:
        """The current turn if it has ended: it is remembered, and current no more."""
        turn = self.current
        if turn is None or turn.stage is not Stage.ENDED:
            return None
        self.current = None
        said = turn.said(phrases=False)
        if turn.heard and said:
            dialogue = [*self._state.dialogue, ["user", turn.heard], ["assistant", said]]
            most = 2 * self._settings.dialogue.history_turns
            self._state.dialogue = dialogue[-most:] if most else []
        return turn

    @property
    def phase(self) -> str:
        """How far the current turn is, in the checkpoint's words; '' without one."""
        if self.current is None:
            return ""
        return "spoken" if self.current.all_sent else _PHASES[self.current.stage]

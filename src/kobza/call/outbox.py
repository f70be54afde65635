"""What a call has to say: actions, facts, and the questions it has put to the media plane."""

from collections.abc import Callable

from kobza.call.actions import Action
from kobza.call.events import CallFact

Replied = Callable[[bytes, float], None]
"""Takes the plane's SDP, and now."""

Failed = Callable[[str, float], None]
"""Takes the plane's reason in words, and now."""


class Outbox:
    """Collects actions and facts until they are taken; remembers who takes the reply to each open question."""

    __slots__ = ("_asked", "_questions", "actions", "facts")

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.facts: list[CallFact] = []
        self._asked = 0
        self._questions: tuple[tuple[str, Replied, Failed], ...] = ()
        """Those that are open, by their request ids: mostly none, and seldom more than one."""

    def ask(self, replied: Replied, failed: Failed) -> str:
        """Note a question to the media plane; return its request id."""
        self._asked += 1
        request_id = str(self._asked)
        self._questions += ((request_id, replied, failed),)
        return request_id

    def reply(self, request_id: str, sdp: bytes, now: float) -> None:
        """Pass the plane's reply to whoever asked; late and repeated ones are dropped."""
        question = self._take_question(request_id)
        if question is not None:
            question[1](sdp, now)

    def fail(self, request_id: str, reason: str, now: float) -> None:
        """Pass the plane's failure to whoever asked; late and repeated ones are dropped."""
        question = self._take_question(request_id)
        if question is not None:
            question[2](reason, now)

    def _take_question(self, request_id: str) -> tuple[str, Replied, Failed] | None:
        for question in self._questions:
            if question[0] == request_id:
                self._questions = tuple([each for each in self._questions if each[0] != request_id])
                return question
        return None

    def forget_questions(self) -> None:
        """Drop whatever the plane may still reply."""
        self._questions = ()

    def take_actions(self) -> list[Action]:
        """Return the actions since the last time, in order."""
        actions, self.actions = self.actions, []
        return actions

    def take_facts(self) -> list[CallFact]:
        """Return the facts since the last time, in order."""
        facts, self.facts = self.facts, []
        return facts

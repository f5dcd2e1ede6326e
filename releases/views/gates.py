"""What is said of the regression gate of a branch: on the overview, and above its column in the matrix."""

from __future__ import annotations

from dataclasses import dataclass

from releases.policies.overview import Gate

from . import words


def gate_words(gate: Gate, *, short: bool) -> tuple[str, str]:
    """The sentence, and the icon beside it; `short` where the fixes are not listed below it."""
    target = gate.target
    if gate.closed:
        bugs = str(target.act) if short else words.plural(target.act, "fixed bug")
        return f"Closed: would reintroduce {bugs}", "octagon-x"
    if target.act:
        left = words.duration(words.seconds_until(gate.due)) if gate.due else ""
        return f"{words.plural(target.act, 'fix', 'fixes')} owed, due in {left}", "triangle-alert"
    if target.unknown:
        return f"Not sure: {words.plural(target.unknown, 'fix', 'fixes')} could not be judged", "circle-alert"
    if target.confirm:
        needs = "needs" if target.confirm == 1 else "need"
        return f"{words.plural(target.confirm, 'fix', 'fixes')} {needs} a look first", "triangle-alert"
    return "Open: brings no bug back", "circle-check"


@dataclass(frozen=True, slots=True)
class GateMark:
    """The gate in two words, for the head of a column; `whole` is the sentence."""

    tone: str
    icon: str
    says: str
    whole: str


def gate_mark(gate: Gate) -> GateMark:
    whole, icon = gate_words(gate, short=False)
    if gate.closed:
        says = "Gate closed"
    elif gate.target.act:
        says = f"Gate closes in {words.duration(words.seconds_until(gate.due))}" if gate.due else "Gate closes soon"
    else:
        says = "Gate open" if gate.tone == "ok" else "Gate not sure"
    return GateMark(gate.tone, icon, says, whole)

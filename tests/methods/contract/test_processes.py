"""Of several processes nothing is said that was not tried: two train for real, and what they end with is told."""

import pytest
import torch
from sound_method import Sound

from methods import Card
from methods.contract import CHECKS, processes
from methods.contract.promises import PromiseError
from methods.contract.subject import Subject

CLAIM = Card("an example", "none", trains="all", memory="K·D", distributed=Card.SAME_AS_ONE)


def compared(cls, halves, whole, monkeypatch):
    monkeypatch.setattr(processes, "_in_two_processes", lambda subject: halves)
    monkeypatch.setattr(processes, "train", lambda subject: whole)
    return CHECKS["two_processes"](Subject(cls, 64, 8))


def state(value):
    return {"gradient of the latents in step 0": torch.zeros(4, 8), "`mean`": torch.full((8,), value)}


WHOLE = {"gradient of the latents in step 0": torch.zeros(8, 8), "`mean`": torch.ones(8)}


@pytest.mark.slow
def test_two_processes_are_run():
    """The moving average of the sound method is of its own process's latents."""
    with pytest.raises(
        PromiseError, match="in two processes these differ from one to the other: .*`mean`.*; sum counts"
    ):
        CHECKS["two_processes"](Subject(Sound, 64, 8))


def test_a_card_that_says_nothing_is_told_what_was_seen(monkeypatch):
    told = compared(Sound, [state(1.0), state(1.0)], WHOLE, monkeypatch)
    assert told == "seen: two processes end where one with the whole batch does; its card says nothing of it"
    told = compared(Sound, [state(1.5), state(1.5)], WHOLE, monkeypatch)
    assert "do not end where one does: `mean` by up to 0.5; its card says nothing of it" in told


def test_a_card_that_claims_it_is_held_to_it(monkeypatch):
    monkeypatch.setattr(Sound, "card", CLAIM)
    told = compared(Sound, [state(1.0), state(1.0)], WHOLE, monkeypatch)
    assert told == "seen: two processes end where one with the whole batch does"
    with pytest.raises(PromiseError, match=r"`mean` by up to 0.5; its card says that they do"):
        compared(Sound, [state(1.5), state(1.5)], WHOLE, monkeypatch)


def test_a_class_that_no_process_can_import_is_not_run():
    class Local(Sound):
        pass

    assert "not run: another process can't import" in CHECKS["two_processes"](Subject(Local, 64, 8))


@pytest.mark.slow
def test_a_process_that_fails_is_told(monkeypatch):
    with pytest.raises(PromiseError, match="one of two processes fails: .*no_such_option"):
        processes._in_two_processes(Subject(Sound, 64, 8, {"no_such_option": 1}))

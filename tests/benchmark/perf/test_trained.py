import pytest
import torch

from benchmark.perf import trained
from benchmark.perf.cases import Shape
from benchmark.perf.search import trained_rows
from methods.parts import codebook

CPU = torch.device("cpu")
SHAPE = Shape(98, 16, 4)
pytestmark = pytest.mark.usefixtures("short_trainings")


@pytest.mark.parametrize("method", ["simvq", "codebook_reset"])
def test_searches_are_those_that_the_training_makes(method, monkeypatch):
    expected, made = trained.successive_searches(method, SHAPE, "trained", CPU), []
    trainer, search = trained.training(method, SHAPE, "trained", CPU), codebook.nearest_codes

    def spy(latents, codewords, *others):
        made.append((latents.clone(), codewords.clone()))
        return search(latents, codewords, *others)

    monkeypatch.setattr(codebook, "nearest_codes", spy)
    for step in range(trained.SUCCESSIVE):
        trainer.step(trained.first_step("trained") + step)
    assert len(made) == trained.SUCCESSIVE
    for (latents, codewords), (rows, words) in zip(made, expected, strict=True):
        torch.testing.assert_close(latents, rows, rtol=0, atol=0)
        torch.testing.assert_close(codewords, words, rtol=0, atol=0)


def test_what_is_trained_with_few_codewords_is_taken_over_and_goes_on():
    begun = trained._begin("simvq", Shape(98, trained.SMALL, 4), 2, CPU)
    trainer = trained.training("simvq", SHAPE, "trained", CPU)
    assert trainer.system.quantizer.codebook.shape == (16, 4)
    moved = (trainer.system.quantizer.map[0].weight - begun["quantizer"]["map.0.weight"]).abs().max()
    assert 0 < moved < 0.01


def test_every_search_has_another_batch_and_a_codebook_one_step_away():
    pairs = trained_rows("codebook_reset", "half-trained")(SHAPE, CPU)
    assert len(pairs) == 2 * trained.SUCCESSIVE - 2
    for (latents, codewords), (others, moved) in zip(pairs, [*pairs[1:], pairs[0]], strict=True):
        assert latents.shape == (98, 4)
        assert not latents.equal(others)
        assert not codewords.equal(moved)
    assert pairs[1][1].equal(pairs[-1][1])

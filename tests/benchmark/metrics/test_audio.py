"""Speech metrics agree with their packages called directly, to the last digit; what is undefined is counted."""

import contextlib
import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchaudio
from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio

from benchmark.metrics import metrics
from benchmark.metrics.parts import pool
from benchmark.metrics.parts.intrusive import pesq as clip_pesq
from benchmark.metrics.parts.mel import MelDistance
from benchmark.metrics.parts.opinion import UTMOS_HASH_VARIABLE, UTMOS_VARIABLE, distillmos, dnsmos
from benchmark.metrics.parts.pitch import pitch, pitch_error, voicing_f1
from benchmark.metrics.parts.speech import judge_pair, measures, over_clips
from benchmark.metrics.parts.speech import measure as make
from methods import load_plugin
from methods.core.usage import UsageError

RATE = 16_000
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch.set_num_threads(1)


def voice(seconds: float, rate: int = RATE, hertz: float = 120.0, seed: int = 0) -> np.ndarray:
    """A buzz with the harmonics of a voice, whose pitch and loudness wander."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * hertz * (time + 0.02 * np.sin(2 * np.pi * 1.5 * time))
    buzz = sum(np.sin(k * phase) / k**1.2 for k in range(1, 25))
    loud = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * time + seed)
    return (0.1 * buzz * loud + 0.001 * generator.standard_normal(len(time))).astype(np.float32)


def noisy(clip: np.ndarray, level: float = 0.05) -> np.ndarray:
    return (clip + level * np.random.default_rng(1).standard_normal(len(clip))).astype(np.float32)


def measure(original: np.ndarray, reconstruction: np.ndarray, rate: int = RATE, **options: Any) -> dict[str, Any]:
    made = metrics.create(
        "audio", options, item_shape=(1, len(original)), device=CPU, originals_key=str(original.sum()), sample_rate=rate
    )
    made.update(torch.from_numpy(original)[None, None], torch.from_numpy(reconstruction)[None, None])
    return {**made.compute(), "details": made.details()}


def test_pesq_and_stoi_are_those_of_their_packages() -> None:
    from pesq import pesq
    from pystoi import stoi

    clip, other = voice(1.5), noisy(voice(1.5))
    found = measure(clip, other, speech=["pesq", "stoi"])
    assert found["pesq"] == float(pesq(RATE, clip, other, "wb"))
    assert found["stoi"] == float(stoi(clip, other, RATE))
    assert found["details"]["pesq"] == {"clips": 1, "package": "pesq 0.0.4"}


def test_pesq_is_asked_only_of_clips_whose_utterances_its_package_has_room_for() -> None:
    """Sixty utterances in a minute end the process that asks the package; the next one must still be judged."""
    burst = np.r_[np.random.default_rng(0).uniform(-0.5, 0.5, RATE // 2), np.zeros(RATE // 2)].astype(np.float32)
    minute = np.tile(burst, 60)
    assert clip_pesq(minute, minute) is None
    second = np.tile(burst, 2)
    assert clip_pesq(second, second) == pytest.approx(4.64, abs=0.01)


def test_at_another_rate_pesq_hears_what_torchaudio_resampled_and_stoi_what_is_there() -> None:
    from pesq import pesq
    from pystoi import stoi

    clip, other = voice(1.5, 24_000), noisy(voice(1.5, 24_000))
    found = measure(clip, other, 24_000, speech=["pesq", "stoi"])
    pair = [torchaudio.functional.resample(torch.from_numpy(c), 24_000, RATE).numpy() for c in (clip, other)]
    assert found["pesq"] == float(pesq(RATE, *pair, "wb"))
    assert found["stoi"] == float(stoi(clip, other, 24_000))


def test_si_sdr_and_mel_distance_are_of_the_reconstruction_as_it_is() -> None:
    clip = voice(0.5)
    other = 20 * noisy(clip)
    found = measure(clip, other, speech=[])
    pair = torch.from_numpy(other)[None], torch.from_numpy(clip)[None]
    assert found["si_sdr"] == float(scale_invariant_signal_distortion_ratio(*pair)[0])
    assert found["mel_distance"] == float(MelDistance(RATE)(pair[0][None], pair[1][None])[0])
    assert found["n_clips"] == 1
    assert found["seconds"] == 0.5


def test_pitch_is_torchcrepe_s() -> None:
    import torchcrepe

    clip = voice(0.4)
    np.random.seed(0)
    audio = torch.from_numpy(clip)[None]
    hertz, periodicity = torchcrepe.predict(
        audio, RATE, 160, 50.0, 550.0, "tiny", return_periodicity=True, batch_size=2048
    )
    periodicity = torchcrepe.threshold.Silence(-60.0)(periodicity, audio, RATE, 160)
    expected = torchcrepe.threshold.At(0.21)(hertz, periodicity)[0].numpy()
    state = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(pitch(clip), expected)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert np.nanmedian(expected) == pytest.approx(120, rel=0.1)
    found = measure(clip, clip, speech=["pitch"])
    assert (found["vuv_f1"], found["f0_error"]) == (1.0, 0.0)


def test_voicing_and_pitch_error_by_their_definition() -> None:
    nan = np.nan
    original = np.array([100, 100, nan, nan, 100, nan], np.float32)
    other = np.array([200, 100, 100, nan, nan, nan], np.float32)
    assert voicing_f1(original, other) == pytest.approx(2 * 2 / (3 + 3))
    assert pitch_error(original, other) == pytest.approx(np.sqrt(1200**2 / 2))
    assert voicing_f1(original * nan, other * nan) is None
    assert pitch_error(original, other * nan) is None


def test_opinion_scores_are_those_of_their_packages() -> None:
    import distillmos as package
    from speechmos import dnsmos as speechmos

    clip = voice(9.1)  # what the network hears at once; a shorter one is repeated and judged seven times
    assert dnsmos(clip) == float(speechmos.run(clip, RATE)["ovrl_mos"])
    clip = clip[:RATE]
    with contextlib.redirect_stdout(io.StringIO()):
        model = package.ConvTransformerSQAModel().eval()
    with torch.no_grad():
        assert distillmos(clip) == float(model(torch.from_numpy(clip)[None]))


def test_a_clip_without_a_value_is_counted_and_left_out() -> None:
    clips = np.stack([voice(0.6), np.zeros(round(0.6 * RATE), np.float32)])
    made = metrics.create(
        "audio",
        {"speech": ["pesq", "stoi", "pitch"]},
        item_shape=(1, clips.shape[1]),
        device=CPU,
        originals_key="two",
        sample_rate=RATE,
    )
    batch = torch.from_numpy(clips)[:, None]
    made.update(batch, batch)
    found = made.compute()
    assert found["pesq"] == pytest.approx(4.64, abs=0.01)
    assert found["pesq_undefined"] == found["stoi_undefined"] == found["vuv_f1_undefined"] == 1
    assert found["mel_distance_undefined"] == 0


def test_some_of_the_clips_are_judged_and_originals_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.metrics import audio

    clips = torch.from_numpy(np.stack([voice(0.3, seed=seed) for seed in range(4)]))[:, None]
    seen: list[int] = []

    def counted(function: Any, items: Any, *others: Any) -> Any:
        seen.append(len(items))
        return over_clips(function, items, *others)

    monkeypatch.setattr(audio, "over_clips", counted)
    for _ in range(2):
        made = metrics.create(
            "audio",
            {"speech": ["pitch"], "clips": 2},
            item_shape=(1, 4800),
            device=CPU,
            originals_key="four",
            sample_rate=RATE,
        )
        made.update(clips, clips)
        assert made.compute()["f0_error"] == 0.0
        assert made.details()["f0_error"]["clips"] == 2
    assert seen == [2, 2, 2]  # originals, pairs; then pairs alone


def test_several_processes_give_what_one_gives() -> None:
    pairs = [(voice(0.5, seed=seed), noisy(voice(0.5, seed=seed)), {}) for seed in range(5)]
    two, one = (over_clips(judge_pair, pairs, ["stoi"], threads, RATE) for threads in (2, 1))
    assert two == one
    assert len({answer["stoi"] for answer in one}) == 5


def test_rates_of_codes() -> None:
    clip = voice(2.0)
    made = metrics.create(
        "audio", {"speech": []}, item_shape=(1, len(clip)), device=CPU, originals_key="", sample_rate=RATE
    )
    made.update(torch.from_numpy(clip)[None, None], torch.from_numpy(clip)[None, None])
    made.compute()
    rates = made.rates({"tokens": 150, "bits_per_position": 12.0, "entropy_bits": 8.0})
    assert rates == {"bandwidth_kbps": pytest.approx(0.9), "entropy_rate_bps": pytest.approx(600.0)}
    assert set(made.rates({"tokens": None}).values()) == {None}


def test_utmos_needs_weights_of_your_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(UTMOS_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="must name a TorchScript file .*; it is not set"):
        measure(voice(0.5), voice(0.5), speech=["utmos"])
    file = tmp_path / "utmos.pt"

    class Loudness(torch.nn.Module):
        def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
            return waveforms.square().mean(1)

    clip = voice(0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is going out of use
        torch.jit.trace(Loudness(), torch.from_numpy(clip)[None]).save(str(file))
    monkeypatch.setenv(UTMOS_VARIABLE, str(file))
    content = hashlib.sha256(file.read_bytes()).hexdigest()
    for said, there in (("", "it is not set"), ("0" * 64, f"it says {'0' * 64}")):
        with monkeypatch.context() as patched:
            patched.setenv(UTMOS_HASH_VARIABLE, said)
            patched.setattr(torch.jit, "load", None)  # nothing of the file is loaded before its hash is known
            with pytest.raises(UsageError, match=f"must be its SHA-256 .*; {there}, the file has {content}$"):
                measure(clip, clip, speech=["utmos"])
    monkeypatch.setenv(UTMOS_HASH_VARIABLE, content.upper())
    found = measure(clip, clip, speech=["utmos"])
    assert found["utmos"] == pytest.approx(float(np.square(clip).mean()), rel=1e-5)
    assert "weights_sha256" in found["details"]["utmos"]


def test_every_column_of_every_measure_is_described() -> None:
    from benchmark.metrics.catalogue import describe

    assert measures.available() == ["distillmos", "dnsmos", "pesq", "pitch", "stoi", "utmos"]
    for column in [column for name in measures.available() for column in make(name).columns]:
        assert describe(column).direction in ("higher", "lower")
        assert "undefined" in describe(f"{column}_undefined").label


def test_samples_are_sounds_and_a_picture(tmp_path: Path) -> None:
    import soundfile
    from PIL import Image

    made = metrics.create("audio", {"speech": []}, item_shape=(1, 8000), device=CPU, originals_key="", sample_rate=RATE)
    clip = torch.from_numpy(voice(0.5))[None, None]
    made.save_samples(clip, 3 * torch.nn.functional.pad(clip, (0, 100)), tmp_path)
    samples, rate = soundfile.read(tmp_path / "samples" / "original_1.wav", dtype="int16")
    assert rate == RATE
    assert np.abs(samples / 32768 - clip.numpy().ravel()).max() < 1e-4
    assert len(soundfile.read(tmp_path / "samples" / "reconstruction_1.wav")[0]) == 8000
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.size == (32, 160)


DEADLY = """
import os, signal
import numpy as np
from benchmark.metrics.parts.speech import Measure, measures

@measures.register("deadly")
class Deadly(Measure):
    columns = ("first", "second")

    def values(self, pair, facts):
        if pair.original[0] == np.float32(0.5):
            os.kill(os.getpid(), signal.SIGSEGV)
        return float(pair.original[0]), None

@measures.register("deadly_facts")
class DeadlyFacts(Measure):
    columns = ("third",)
    has_facts = True

    def facts(self, original):
        if original[0] == np.float32(0.25):
            os.kill(os.getpid(), signal.SIGKILL)
        return original[:1]

    def values(self, pair, facts):
        return (float(facts[0]),)
"""


def judged(names: list[str], beginnings: list[float]) -> dict[str, Any]:
    clips = torch.zeros(len(beginnings), 1, 8000)
    clips[:, 0, 0] = torch.tensor(beginnings)
    made = metrics.create("audio", {"speech": names}, sample_rate=RATE, device=CPU)
    made.update(clips, clips)
    return {**made.compute(), "details": made.details()}


def test_compiled_code_that_ends_its_process_costs_one_value(
    tmp_path: Path, own_registries: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one thread, too: a measure that is not known to be safe never runs in the process of the run."""
    path = tmp_path / "deadly.py"
    path.write_text(DEADLY)
    load_plugin(path)
    found = judged(["deadly", "deadly_facts", "stoi"], [0.125, 0.5, 0.25])
    assert (found["first"], found["first_undefined"]) == (pytest.approx((0.125 + 0.25) / 2), 1)
    assert (found["second"], found["second_undefined"]) == (None, 3)
    assert (found["third"], found["third_undefined"]) == (pytest.approx((0.125 + 0.5) / 2), 1)
    assert "stoi_undefined" in found
    assert "speech measure `deadly` ended its process on 1 clips; they have no value of it" in capsys.readouterr().err


def test_a_measure_that_dies_of_everything_is_given_up(
    tmp_path: Path, own_registries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deadly.py"
    path.write_text(DEADLY)
    load_plugin(path)
    monkeypatch.setattr(pool, "MOST_DEATHS", 1)
    found = judged(["deadly"], [0.125, 0.5, 0.5, 0.25])
    assert (found["first"], found["first_undefined"]) == (None, 4)

"""Real speech that Debian packages, to be had without a general network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.data import datasets
from benchmark.data.parts.clips import SPLITS, VERSION, Cut, Speech, speech
from benchmark.data.parts.debian import unpack_package
from benchmark.data.parts.files import Files, draw, list_files
from benchmark.data.parts.sources import UnavailableError, obtain

FESTVOX = "data set `festvox_ru`"
FESTVOX_PACKAGE = "festvox-ru"
FESTVOX_FOLDER = "usr/share/festival/voices/russian/msu_ru_nsh_clunits/wav"
FESTVOX_CONTENT = "8eaf7aa21fb4c771"  # of the 620 recordings of version 0.5
ASTERISK = "data set `asterisk_prompts`"
ASTERISK_FOLDER = "usr/share/asterisk/sounds"
ASTERISK_CONTENT = "8fb2426b7f2de559"  # of the prompts of version 1.6.1
# One speaker a row but Allison, who speaks two; no speaker is in two splits.
ASTERISK_VOICES = {
    "train": {"en_US_f_Allison": "en", "es_MX_f_Allison": "es", "it_IT_m_Carlo": "it"},
    "validation": {"fr_CA_f_June": "fr"},
    "test": {"ru_RU_f_IvrvoiceRU": "ru"},
}
ASTERISK_SHA256 = {
    "en": "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
    "es": "e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8",
    "fr": "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
    "it": "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016",
    "ru": "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b",
}
RATE = 16_000


@datasets.register("festvox_ru", modality="audio")
def festvox_ru(
    *,
    sample_rate: int = RATE,
    clip_seconds: float = 1.0,
    test_seconds: float = 3.0,
    test_items: int | None = None,
) -> Speech:
    """Clips ``[1, T]`` of the MSU Russian voice: 620 sentences of one speaker, 99.5 minutes, 16 kHz.

    Split by sentence (496 training, 62 validation, 62 test, drawn with a fixed seed). Its Debian package is read where
    it is installed, else downloaded.

    Raises:
        UsageError: no source has it, a wrong option.
    """
    cut = Cut(sample_rate, clip_seconds, test_seconds)
    cut.check(FESTVOX, RATE)
    files, source = obtain(
        "festvox_ru",
        read_festvox,
        [Path("/")],
        {"the Debian package": lambda folder: unpack_package(FESTVOX_PACKAGE, folder)},
        f"with Debian's package sources, try again; else install the package {FESTVOX_PACKAGE} or unpack it into a "
        "folder and name that by --data",
    )
    names = draw(list(files.states), None, "festvox_ru")
    tenth = len(names) // 10
    parts = {"train": names[2 * tenth :], "validation": names[:tenth], "test": names[tenth : 2 * tenth]}
    return speech(
        FESTVOX,
        files.root,
        parts,
        cut,
        files.content,
        test_items=test_items,
        source=source,
        licence="as Festvox's (BSD-like), Moscow State University",
    )


@datasets.register("festvox_minute", modality="audio")
def festvox_minute() -> Speech:
    """One minute of the test speech of `festvox_ru`, the same for training (half seconds), validation and test.

    For checking a codec: what it can't learn by heart it can't code. Evidence of nothing else.
    """
    data = festvox_ru(clip_seconds=0.5)
    minute = data.test[:20]
    clips = minute.reshape(-1, *data.train.shape[1:])
    kept = {name: data.provenance[name] for name in ("source", "licence", "content")}
    provenance = {**kept, "clips": {"train": len(clips), "validation": len(clips), "test": len(minute)}}
    return replace(data, train=clips, validation=clips, test=minute, provenance=provenance)


def read_festvox(folder: Path) -> Files:
    """The recordings below ``folder``; UnavailableError where they are others than the package's."""
    return known(list_files(folder / FESTVOX_FOLDER, {".wav"}), FESTVOX_CONTENT, FESTVOX_PACKAGE)


def known(files: Files, content: str, package: str) -> Files:
    """``files``; UnavailableError where there are none, or others than those that are known by the hash ``content``."""
    if not files.states:
        raise UnavailableError(f"no recordings of {package}")
    if files.content != content:
        raise UnavailableError(f"the {len(files.states):,} recordings are not those of {package}")
    return files


def asterisk_identity(options: dict[str, Any]) -> dict[str, Any]:
    """The options, and by which rules the prompts are cut; those of `festvox_ru` are cut alike by all there were."""
    return {"cut": VERSION, **options}


@datasets.register("asterisk_prompts", asterisk_identity, modality="audio")
def asterisk_prompts(
    *,
    sample_rate: int = RATE,
    clip_seconds: float = 1.0,
    test_seconds: float = 2.0,
    test_items: int | None = None,
) -> Speech:
    """Clips ``[1, T]`` of the prompts of a telephone system: four speakers, five languages, 126 minutes, 16 kHz.

    Split by speaker: English, Spanish (the same woman) and Italian (a man) are trained on, French validates, Russian
    is the test. Most prompts last two or three seconds; those with less sound than one clip are left out. G.722,
    a lossy code for telephones, left its traces in them.

    Raises:
        UsageError: no source has it, a wrong option.
    """
    cut = Cut(sample_rate, clip_seconds, test_seconds)
    cut.check(ASTERISK, RATE)
    files, source = obtain(
        "asterisk_prompts",
        read_asterisk,
        [Path("/")],
        {"the Debian packages": fetch_asterisk},
        "with Debian's package sources, try again; else unpack the packages asterisk-core-sounds-{en,es,fr,it,ru}-g722 "
        "into a folder and name that by --data",
    )
    names = {split: [name for voice in ASTERISK_VOICES[split] for name in prompts(files, voice)] for split in SPLITS}
    parts = {split: draw(names[split], None, "asterisk", split) for split in SPLITS}
    return speech(
        ASTERISK,
        files.root,
        parts,
        cut,
        files.content,
        test_items=test_items,
        source=source,
        licence="CC BY-SA 3.0 (Russian: CC BY 3.0), Asterisk core sounds",
        voices={split: list(voices) for split, voices in ASTERISK_VOICES.items()},
    )


def prompts(files: Files, voice: str) -> list[str]:
    """Relative names of all prompts of a voice, sorted; its recordings of silence are none."""
    found = (name.split("/") for name in files.states)
    return ["/".join(parts) for parts in sorted(found) if parts[0] == voice and "silence" not in parts]


def read_asterisk(folder: Path) -> Files:
    """The recordings of all voices below ``folder``; UnavailableError where they are others than the packages'."""
    voices = {voice: language for split in SPLITS for voice, language in ASTERISK_VOICES[split].items()}
    files = list_files(folder / ASTERISK_FOLDER, {".g722"}, voices)
    for voice, language in voices.items():
        if not prompts(files, voice):
            raise UnavailableError(f"no recordings of asterisk-core-sounds-{language}-g722")
    return known(files, ASTERISK_CONTENT, "asterisk-core-sounds 1.6.1")


def fetch_asterisk(folder: Path) -> None:
    """The five packages, one after another."""
    for language, sha256 in ASTERISK_SHA256.items():
        unpack_package(f"asterisk-core-sounds-{language}-g722", folder, sha256)

"""Speech: any folder of recordings, and LibriTTS."""

import hashlib
import json
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from benchmark.data import datasets
from benchmark.data.parts.audio_files import SUFFIXES
from benchmark.data.parts.clips import SPLITS, VERSION, Cut, Speech, speech
from benchmark.data.parts.files import Files, assign, draw, folder_of, list_files
from benchmark.data.parts.sources import UnavailableError, download, obtain, user_folder
from methods.core.usage import UsageError, check_choice, check_count

FOLDER = "data set `speech_folder`"
LIBRITTS = "data set `libritts`"
MIN_SPEAKERS = 3
TRAIN_SUBSETS = ("train-clean-100", "train-clean-360", "train-other-500")
TEST_SUBSETS = ("test-clean", "test-other")
LIBRITTS_RATE = 24_000
FETCHED = "fetched.json"  # beside a downloaded LibriTTS: hashes of the recordings by subset


def folder_identity(options: dict[str, Any]) -> dict[str, Any]:
    """The options with a hash of the recordings' files in place of their path, so that a folder may be moved."""
    others = {name: value for name, value in options.items() if name != "path"}
    files = list_files(folder_of(FOLDER, "recordings", options["path"]), SUFFIXES)
    return {"content": files.content, "cut": VERSION, **others}


@datasets.register("speech_folder", folder_identity, modality="audio")
def speech_folder(
    *,
    path: str | None = None,
    sample_rate: int = 16_000,
    clip_seconds: float = 1.0,
    test_seconds: float = 3.0,
    clips_per_recording: int | None = None,
    limit: int | None = None,
    test_items: int | None = None,
) -> Speech:
    """Clips ``[1, T]`` of all WAV, FLAC, OGG and G.722 files below the folder ``path``, or that of ``--data``.

    Where ``path`` has a folder ``train``, that is the training set, ``val``, ``valid`` or ``validation`` the
    validation set and ``test`` the test set. Without it, three folders or more directly below ``path`` are taken for
    speakers, of whom whole ones go to validation and test (a tenth each, at least one); fewer folders, and files
    without one, are split file by file (80/10/10). All drawings have fixed seeds. ``limit`` takes at most that
    many recordings of a split, ``test_items`` that many test clips, evenly spaced.

    Recordings are resampled to ``sample_rate``; those made at a lower rate are left out. See `cut_recording` for how
    they are cut.

    Raises:
        UsageError: no such folder, a split without a clip, a wrong option.
    """
    cut = Cut(sample_rate, clip_seconds, test_seconds, clips_per_recording)
    cut.check(FOLDER)
    if limit is not None:
        check_count(f"{FOLDER}: limit", limit)
    root = folder_of(FOLDER, "recordings", path)
    files = list_files(root, SUFFIXES)
    recordings = {
        split: draw(names, limit, "speech_folder", split) for split, names in by_speaker(files.states).items()
    }
    return speech(
        FOLDER,
        root,
        recordings,
        cut,
        files.content,
        files=files,
        test_items=test_items,
        source="a folder of the user's",
    )


def by_speaker(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by split: as the folders say, else by speaker, else by file."""
    splits = assign(names)
    pools = {split: splits.get(split, []) for split in SPLITS}
    missing = [split for split in ("validation", "test") if not pools[split]]
    speakers = sorted({name.split("/")[0] for name in pools["train"] if "/" in name} if len(splits) == 1 else ())
    units = speakers if len(speakers) >= MIN_SPEAKERS else pools["train"]
    order = draw(units, None, "speech_folder", "split")
    for split in missing:
        tenth = set(order[: max(1, len(units) // 10)])
        order = order[len(tenth) :]
        taken = [name for name in pools["train"] if (name.split("/")[0] if units is speakers else name) in tenth]
        pools[split] = taken
        pools["train"] = [name for name in pools["train"] if name not in set(taken)]
    return pools


def subsets_of(train: object, test: str) -> dict[str, list[str]]:
    """The subsets of LibriTTS that each split is made of.

    Raises:
        UsageError: there is no such subset.
    """
    check_choice("test", test, TEST_SUBSETS)
    if not isinstance(train, list | tuple) or not train:
        raise UsageError(f"{LIBRITTS}: train must list some of {', '.join(TRAIN_SUBSETS)}, not {train!r}")
    for subset in train:
        check_choice("train", subset, TRAIN_SUBSETS)
    return {"train": list(train), "validation": [test.replace("test", "dev")], "test": [test]}


def libritts_identity(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with a hash of the recordings where a folder of the user's has them.

    Where none has, they are those of the authors' archives, whose hashes torchaudio compares when it fetches them.
    """
    subsets = subsets_of(options["train"], options["test"])
    try:
        files = read_libritts(user_folder() or Path("/nonexistent"), [*chain(*subsets.values())])
    except UnavailableError:
        return {"cut": VERSION, **options}
    return {"content": content_of(files), "cut": VERSION, **options}


@datasets.register("libritts", libritts_identity, modality="audio")
def libritts(
    *,
    train: list[str] = ["train-clean-100"],  # noqa: B006  read only
    test: str = "test-clean",
    sample_rate: int = LIBRITTS_RATE,
    clip_seconds: float = 1.0,
    test_seconds: float = 4.0,
    clips_per_recording: int | None = None,
    limit: int | None = None,
    test_items: int | None = None,
) -> Speech:
    """Clips ``[1, T]`` of LibriTTS (Zen et al., Interspeech 2019), 24 kHz, its own splits, no speaker in two of them.

    ``train`` lists subsets; validation is ``dev-clean``, or ``dev-other`` where ``test`` is ``test-other``. They are
    read from a folder of the user's that holds ``LibriTTS/``, or downloaded by torchaudio (train-clean-100 has
    54 hours and 8 GB). ``limit`` takes at most that many recordings of a split.

    Raises:
        UsageError: no source has it, a wrong option.
    """
    cut = Cut(sample_rate, clip_seconds, test_seconds, clips_per_recording)
    cut.check(LIBRITTS, LIBRITTS_RATE)
    if limit is not None:
        check_count(f"{LIBRITTS}: limit", limit)
    subsets = subsets_of(train, test)
    wanted = [*chain(*subsets.values())]
    files, source = obtain(
        "libritts",
        lambda folder: read_libritts(folder, wanted),
        [],
        {"the official download": lambda folder: fetch_libritts(folder, wanted)},
        "with a network, try again; else name the folder that holds LibriTTS/ by --data",
    )
    recordings = {
        split: draw([name for subset in names for name in files[subset].states], limit, "libritts", split)
        for split, names in subsets.items()
    }
    root, content = files[test].root, content_of(files)
    return speech(LIBRITTS, root, recordings, cut, content, test_items=test_items, source=source, licence="CC BY 4.0")


def read_libritts(folder: Path, subsets: list[str]) -> dict[str, Files]:
    """The recordings of each subset in ``LibriTTS`` below ``folder``.

    Raises:
        UnavailableError: a subset lacks, or is no longer what was fetched into this folder.
    """
    files = {subset: list_files(folder / "LibriTTS", {".wav"}, [subset]) for subset in subsets}
    lacking = [subset for subset, found in files.items() if not found.states]
    if lacking:
        raise UnavailableError(f"no LibriTTS/{lacking[0]}")
    fetched = json.loads((folder / FETCHED).read_text()) if (folder / FETCHED).exists() else {}
    for subset, found in files.items():
        if fetched.get(subset, found.content) != found.content:
            raise UnavailableError(f"LibriTTS/{subset} is not what was downloaded")
    return files


def content_of(files: dict[str, Files]) -> str:
    """A hash of the recordings of all subsets."""
    return hashlib.sha256("".join(sorted(found.content for found in files.values())).encode()).hexdigest()[:16]


def fetch_libritts(folder: Path, subsets: list[str]) -> None:
    """The authors' archives by way of torchaudio, one a subset."""
    from torchaudio.datasets import LIBRITTS as OFFICIAL

    for subset in subsets:
        get = lambda subset=subset: OFFICIAL(str(folder), url=subset, download=True)  # noqa: E731
        download(f"{LIBRITTS}, {subset}", get)
        (folder / f"{subset}.tar.gz").unlink(missing_ok=True)
    (folder / FETCHED).write_text(
        json.dumps({name: found.content for name, found in read_libritts(folder, subsets).items()})
    )

"""A YAML file that a person wrote, with the line of every key, for what turns out to be wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmark.values import BadValueError, Key, Values
from methods.core.usage import UsageError, put_before


@contextmanager
def below(*key: str | int) -> Iterator[None]:
    """Notes that what turns out to be wrong stands below ``key``, for a `Document` to find its line."""
    try:
        yield
    except UsageError as error:
        error.key = (*key, *error.key)
        raise


class Document:
    """The content of a YAML file with the line of every key."""

    def __init__(self, file: Path) -> None:
        self.file = file
        values = Values()
        try:
            self.data: Any = values.read(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(f"there is no file {file}") from None
        except OSError as error:
            raise UsageError(f"{file} can't be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{file} can't be read: {error}") from error
        except BadValueError as error:
            raise UsageError(f"{file}:{error.line}: {error}") from error
        self.lines = values.lines

    def where(self, key: Key) -> str:
        """``file:line`` of a key, or of the nearest key above it that is in the file."""
        for length in range(len(key), 0, -1):
            if key[:length] in self.lines:
                return f"{self.file}:{self.lines[key[:length]]}"
        return str(self.file)

    @contextmanager
    def at(self, *key: str | int) -> Iterator[None]:
        """Puts the place of ``key``, or of what is noted `below` it, before what turns out to be wrong with it."""
        try:
            yield
        except UsageError as error:
            put_before(error, self.where((*key, *error.key)))
            raise

    def listed(self, *key: str) -> list[Any]:
        """The list that stands at ``key``, empty where there is none."""
        value = self.data
        for part in key:
            value = value.get(part) if isinstance(value, dict) else None
        return value if isinstance(value, list) else []

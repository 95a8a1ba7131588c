"""The reports of an attempt that is at work, read from its folder as they come."""

from __future__ import annotations

from pathlib import Path
from typing import final

from spiketune.messages import Report, from_json


@final
class ReportReader:
    """Remembers how far an attempt's `metrics.jsonl` was read.

    Args:
        folder: The attempt's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "metrics.jsonl"
        self._read = 0
        self._torn = b""

    def read(self) -> list[Report]:
        """What was reported since the last call; a line half written waits for the next."""
        try:
            with self._file.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return []  # nothing was reported yet
        self._read += len(data)
        *lines, self._torn = (self._torn + data).split(b"\n")
        messages = (from_json(line) for line in lines if line.strip())
        return [message for message in messages if isinstance(message, Report)]

"""Accuracies of a running training in a small HTML file that is written over while it runs."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, final

from spiketune.messages import Report
from spiketune.report.palette import BLUE, ORANGE
from spiketune.report.writing import write_whole

_EVERY_S: Final = 1.0
_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 18, 46, 46
_MAX_POINTS: Final = 400
_LINES: Final = (("train_accuracy", ORANGE), ("validation_accuracy", BLUE))
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">{refresh}
<title>{title}</title></head>
<body style="margin:24px;background:#fff;font:13px system-ui,sans-serif;color:#1f2430">
{svg}
</body></html>
"""

Point = tuple[float, float]


@final
class LiveChart:
    """The chart of one training; written at most once a second, and at the end.

    Args:
        path: The file.
        title: Name of the run.
        now_s: A clock that only goes forward.
    """

    def __init__(self, path: Path, title: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._title, self._now_s = title, now_s
        self._points: dict[str, dict[float, float]] = {name: {} for name, _ in _LINES}
        self._written_s: float | None = None

    def add(self, report: Report) -> None:
        """Take in a report, and write the file if it is a second old."""
        for name, points in self._points.items():
            if name in report.metrics:
                points[report.fidelity] = report.metrics[name]
        now_s = self._now_s()
        if self._written_s is None or now_s - self._written_s >= _EVERY_S:
            self._write(running=True)
            self._written_s = now_s

    def finish(self) -> None:
        """Write the last state, which a browser need not load again."""
        self._write(running=False)

    def _write(self, *, running: bool) -> None:
        curves = {name: sorted(points.items()) for name, points in self._points.items()}
        page = _PAGE.format(
            refresh='<meta http-equiv="refresh" content="2">' if running else "",
            title=html.escape(self._title),
            svg=chart(self._title, curves),
        )
        write_whole(self.path, page)


def chart(title: str, curves: dict[str, list[Point]]) -> str:
    """Accuracy over epochs as SVG.

    Args:
        title: Above the axes.
        curves: Epoch and accuracy of each point, by metric.
    """
    told = [point for points in curves.values() for point in points]
    last = max((x for x, _ in told), default=1.0)
    low = min((y for _, y in told), default=0.0)
    low = max(0.0, int(low * 10) / 10)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-size="12" fill="#1f2430">',
        f'<text x="{_LEFT}" y="22" font-size="15" font-weight="600">{html.escape(title)}</text>',
        *_axes(last, low),
    ]
    for order, (name, color) in enumerate(_LINES):
        points = curves.get(name, [])
        placed = [_place(x, y, last, low) for x, y in _thinned(points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        label = f"{name.removesuffix('_accuracy')} {points[-1][1]:.4f}" if points else ""
        x = _WIDTH - _RIGHT - 150 * (len(_LINES) - order)
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>',
            *(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in placed[-1:]),
            f'<rect x="{x}" y="12" width="12" height="12" fill="{color}"/>',
            f'<text x="{x + 18}" y="22">{label}</text>',
        ]
    return "\n".join([*parts, "</svg>"])


def _place(x: float, y: float, last: float, low: float) -> Point:
    across = (x - 1) / max(last - 1, 1.0)
    up = (y - low) / (1.0 - low) if low < 1.0 else 1.0
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return _LEFT + across * width, _HEIGHT - _BOTTOM - up * height


def _axes(last: float, low: float) -> list[str]:
    lines = []
    step = (1.0 - low) / 5 or 0.2
    for k in range(6):
        value = low + k * step
        x, y = _place(1, value, last, low)
        lines += [
            f'<line x1="{x:.1f}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            'stroke="#e4e7ec"/>',
            f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>',
        ]
    for epoch in range(1, int(last) + 1, max(1, -(-int(last) // 8))):
        x, _ = _place(epoch, low, last, low)
        y = _HEIGHT - _BOTTOM
        lines.append(f'<text x="{x:.1f}" y="{y + 18}" text-anchor="middle">{epoch}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    lines.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">epoch</text>')
    place = f'x="18" y="{_HEIGHT / 2}" transform="rotate(-90 18 {_HEIGHT / 2})"'
    lines.append(f'<text {place} text-anchor="middle">accuracy</text>')
    return lines


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    step = max(1, -(-len(points) // _MAX_POINTS))
    return points[::-step][::-1]

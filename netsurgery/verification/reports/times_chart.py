"""Times of layers as bars: those of onnxruntime, and Caffe's beside them."""

from __future__ import annotations

from ...html_table import escape
from ..times import Times

ROW, BAR, NAMES, WIDTH, NUMBERS = 26, 9, 190, 480, 80
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2330}.axis{stroke:#c4cad6}.tick{font-size:11px;fill:#5d6778}"
    ".onnxruntime{fill:#2f6fde}.caffe{fill:#c9772b}"
)


def times_chart(times: Times, title: str) -> str:
    """An SVG file: a bar for each layer that takes time, in milliseconds from 0."""
    rows = [layer for layer in times.layers if layer.seconds or layer.caffe]
    longest = max([1e-9, *(max(layer.seconds, layer.caffe or 0) for layer in rows)])
    step = _round(longest * 1e3 / 4)
    scale = WIDTH / (longest * 1e3)
    height = 70 + ROW * len(rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{NAMES + WIDTH + NUMBERS}" height="{height}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="100%" height="100%" fill="#fff"/><text x="8" y="20">{escape(title)}: milliseconds</text>',
        f'<rect class="onnxruntime" x="{NAMES}" y="28" width="10" height="10"/><text x="{NAMES + 15}" y="37">'
        f"onnxruntime, {times.total * 1e3:.3g} in all</text>",
    ]
    if times.caffe is not None:
        lines.append(
            f'<rect class="caffe" x="{NAMES + 200}" y="28" width="10" height="10"/><text x="{NAMES + 215}" y="37">'
            f"Caffe, {times.caffe * 1e3:.3g} in all</text>"
        )
    tick = 0.0
    while tick <= longest * 1e3 * 1.001:
        x = NAMES + tick * scale
        lines.append(f'<path class="axis" d="M{x:.1f},46V{height - 18}"/>')
        lines.append(f'<text class="tick" x="{x:.1f}" y="{height - 4}" text-anchor="middle">{tick:g}</text>')
        tick = round(tick + step, 9)
    for k, layer in enumerate(rows):
        y = 52 + ROW * k
        name = layer.name if len(layer.name) <= 28 else f"{layer.name[:27]}…"
        lines.append(f'<text x="{NAMES - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
        for kind, seconds, top in (("onnxruntime", layer.seconds, y), ("caffe", layer.caffe, y + BAR + 1)):
            if seconds is not None:
                length = max(0.5, seconds * 1e3 * scale)
                lines.append(
                    f'<rect class="{kind}" x="{NAMES}" y="{top}" width="{length:.1f}" height="{BAR}">'
                    f"<title>{escape(layer.name)}: {seconds * 1e3:.4g} ms</title></rect>"
                )
    return "\n".join([*lines, "</svg>", ""])


def _round(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 .. above."""
    power = 1e-9
    while True:
        for digit in (1, 2, 5):
            if digit * power >= value:
                return digit * power
        power *= 10

"""Charts as SVG in the page itself. Colours are CSS classes, so that they follow dark mode; what a
chart shows stands beside it as a table too, for who does not see it.
"""

from collections.abc import Iterator, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 46, 6, 10, 24
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

Row = Sequence[float | None]


def bars(title: str, labels: Sequence[str], series: dict[str, Row]) -> SafeString:
    """Stacked columns; the names of the series are their CSS classes."""
    top = nice(max([sum(column) for column in _columns(series)], default=0))
    return _svg(title, labels, top, format_html_join("", "{}", _bars(labels, series, top)))


def _columns(series: dict[str, Row]) -> list[list[float]]:
    return [[value or 0 for value in column] for column in zip(*series.values(), strict=True)]


def _bars(labels: Sequence[str], series: dict[str, Row], top: float) -> Iterator[tuple[SafeString]]:
    step = PLOT_WIDTH / max(1, len(labels))
    for place, column in enumerate(_columns(series)):
        base = float(TOP + PLOT_HEIGHT)
        for name, value in zip(series, column, strict=True):
            height = PLOT_HEIGHT * value / top
            if height:
                base -= height
                shape = (
                    '<rect class="fill-{}" x="{}" y="{}" width="{}" height="{}">'
                    "<title>{}: {} {}</title></rect>"
                )
                x = _n(LEFT + place * step + step * 0.12)
                size = (_n(base), _n(step * 0.76), _n(max(height, 1)))
                yield (format_html(shape, name, x, *size, labels[place], f"{value:g}", name),)


def lines(title: str, labels: Sequence[str], series: dict[str, Row]) -> SafeString:
    """Lines with gaps where there is nothing to tell."""
    values = [value for row in series.values() for value in row if value is not None]
    top = nice(max(values, default=0))
    drawn = [(part,) for name, row in series.items() for part in _line(labels, name, row, top)]
    return _svg(title, labels, top, format_html_join("", "{}", drawn))


def _line(labels: Sequence[str], name: str, row: Row, top: float) -> Iterator[SafeString]:
    step = PLOT_WIDTH / max(1, len(labels))
    run: list[str] = []
    for place, value in enumerate([*row, None]):
        if value is None:
            if len(run) > 1:
                yield format_html('<polyline class="line-{}" points="{}"/>', name, " ".join(run))
            run = []
            continue
        x, y = _n(LEFT + (place + 0.5) * step), _n(TOP + PLOT_HEIGHT * (1 - value / top))
        run.append(f"{x},{y}")
        point = '<circle class="fill-{}" cx="{}" cy="{}" r="3"><title>{}: {} {}</title></circle>'
        yield format_html(point, name, x, y, labels[place], name, f"{value:g}")


def _svg(title: str, labels: Sequence[str], top: float, drawn: SafeString) -> SafeString:
    return format_html(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>',
        *(WIDTH, HEIGHT, title),
        format_html_join("", "{}", _grid(top)),
        drawn,
        format_html_join("", "{}", _labels(labels)),
    )


def _grid(top: float) -> Iterator[tuple[SafeString]]:
    line = (
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
    )
    for part in (0, 0.5, 1):
        y = _n(TOP + PLOT_HEIGHT * (1 - part))
        where = (LEFT, WIDTH - RIGHT, y, y, LEFT - 6, _n(float(y) + 4))
        yield (format_html(line, *where, short(top * part)),)


def _labels(labels: Sequence[str]) -> Iterator[tuple[SafeString]]:
    step = PLOT_WIDTH / max(1, len(labels))
    every = max(1, len(labels) // 6)
    text = '<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>'
    for place in range(0, len(labels), every):
        x = _n(LEFT + (place + 0.5) * step)
        yield (format_html(text, x, HEIGHT - 6, labels[place]),)


def nice(value: float) -> float:
    """The next round number above."""
    size = 1.0
    while size * 10 < value:
        size *= 10
    return next((size * f for f in (1, 2, 4, 5, 8, 10) if size * f >= value), size * 10)


def short(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _n(value: float) -> str:
    return f"{value:.1f}"

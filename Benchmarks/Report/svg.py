"""A little of SVG: a page, and what plots are made of."""

import html
import math

FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
INK, SOFT, GRID, PAPER = "#1f2430", "#667085", "#e4e7ec", "#ffffff"
WIDE, NARROW = "MWmw@—%", "iIjlt.,:;'|()[]`r1 f"


def text_width(words, size):
    """About how wide words are: enough to leave room for them."""
    return sum(0.9 if c in WIDE else 0.33 if c in NARROW else 0.57 for c in words) * size


class Page:
    """An SVG picture on white paper, so that it is legible on dark pages too."""

    def __init__(self, width, height, title, subtitle=""):
        self.width, self.height, self.title = width, height, title
        self.parts = []
        self.text(28, 40, title, size=19, weight=650)
        if subtitle:
            self.text(28, 62, subtitle, size=12.5, fill=SOFT)

    def text(self, x, y, words, size=12.5, fill=INK, anchor="start", weight=400):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
                          f'font-weight="{weight}">{html.escape(words)}</text>')

    def line(self, x1, y1, x2, y2, stroke=GRID, width=1.0, dash=""):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
                          f'stroke-width="{width}"{dashes}/>')

    def rect(self, x, y, width, height, fill, radius=2.0):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" '
                          f'rx="{radius}" fill="{fill}"/>')

    def path(self, points, stroke, width=2.0, dash=""):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        words = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
        self.parts.append(f'<path d="{words}" fill="none" stroke="{stroke}" stroke-width="{width}" '
                          f'stroke-linejoin="round" stroke-linecap="round"{dashes}/>')

    def polygon(self, points, fill):
        words = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polygon points="{words}" fill="{fill}"/>')

    def dot(self, x, y, fill, radius=3.2):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="{PAPER}"/>')

    def render(self):
        body = "\n".join(self.parts)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" font-family="{FONT}" role="img">\n'
                f"<title>{html.escape(self.title)}</title>\n"
                f'<rect x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="10" fill="{PAPER}" '
                f'stroke="{GRID}"/>\n{body}\n</svg>\n')


class LogAxis:
    """A logarithmic scale from one length to another."""

    def __init__(self, values, start, end, margin=1.25):
        self.low, self.high = min(values) / margin, max(values) * margin
        self.start, self.end = start, end

    def at(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, base=10):
        """Powers of ten, with 2 and 5 between them where there is room; or powers of two, or of four."""
        steps = (1, 2, 5) if base == 10 and self.high / self.low < 3000 else (1,)
        if base == 2 and self.high / self.low > 300:
            base = 4
        first, last = math.floor(math.log(self.low, base)), math.ceil(math.log(self.high, base))
        every = [step * float(base) ** power for power in range(first, last + 1) for step in steps]
        return [value for value in every if self.low <= value <= self.high]


def spread_labels(labels, least, most, gap=15.0):
    """Moves labels [(y, ...)] apart, as little as it takes, and returns them with their new y."""
    placed = [list(label) for label in sorted(labels, key=lambda label: label[0])]
    for _ in range(200):
        moved = False
        for above, below in zip(placed, placed[1:]):
            overlap = gap - (below[0] - above[0])
            if overlap > 0.01:
                above[0] -= overlap / 2
                below[0] += overlap / 2
                moved = True
        for label in placed:
            label[0] = min(max(label[0], least), most)
        if not moved:
            break
    return placed

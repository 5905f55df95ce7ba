"""The colours and shapes of a picture, as a style sheet for light and for dark screens.

Colours are said twice and not as variables, which some readers of SVG do not know. Paper is always
light.
"""

from __future__ import annotations

from string import Template

_LIGHT = {
    "page": "#ffffff",
    "ink": "#1f2328",
    "dim": "#59636e",
    "lane": "#8c959f",
    "act": "#e6f7ea",
    "act_line": "#1a7f37",
    "news": "#e7f3ff",
    "news_line": "#0969da",
    "fault": "#fff6d6",
    "fault_line": "#9a6700",
    "broken": "#ffebe9",
    "broken_line": "#c5162e",
    "wall": "#d1b98a",
}
_DARK = {
    "page": "#0d1117",
    "ink": "#e6edf3",
    "dim": "#9198a1",
    "lane": "#6e7681",
    "act": "#12301d",
    "act_line": "#3fb950",
    "news": "#10243e",
    "news_line": "#58a6ff",
    "fault": "#332808",
    "fault_line": "#d29922",
    "broken": "#40151a",
    "broken_line": "#ff6a63",
    "wall": "#6b5522",
}

_SHAPES = """
.history rect { stroke: none; }
.history { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.history text { white-space: pre; }
.history .name, .history .loud, .history .title { font-weight: 700; }
.history .name { font-size: 15px; }
.history .title { font-size: 15px; }
.history .lane { stroke-width: 2; }
.history .gap { stroke-width: 2; stroke-dasharray: 2 5; }
.history .arrow { fill: none; stroke-width: 1.6; }
.history .link { fill: none; stroke-width: 1.6; }
.history .link.cut { stroke-dasharray: 5 4; }
.history .event rect { stroke-width: 1.4; }
.history .event.unchanged rect { stroke-dasharray: 4 3; }
.history .event.broken rect { stroke-width: 3; }
.history .event { cursor: default; outline: none; }
.history .event:focus rect.box { stroke-width: 3; }
@media print { .history { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_COLOURS = Template("""
.history .page { fill: $page; }
.history text { fill: $ink; }
.history .dim, .history .number { fill: $dim; }
.history .lane { stroke: $lane; }
.history .gap { stroke: $fault_line; }
.history .arrow { stroke: $news_line; }
.history .head { fill: $news_line; }
.history .wall { stroke: $wall; }
.history .partition { fill: url(#history-wall); }
.history .link { stroke: $fault_line; }
.history .box { fill: $fault; stroke: $fault_line; }
.history .act .box { fill: $act; stroke: $act_line; }
.history .deliver .box, .history .sync .box { fill: $news; stroke: $news_line; }
.history .unchanged .box { fill: $page; stroke: $dim; }
.history .unchanged text { fill: $dim; }
.history .broken .box { stroke: $broken_line; fill: $broken; }
.history .tag { fill: $broken_line; }
.history .tagged { fill: $page; font-weight: 700; }
.history .loud { fill: $broken_line; }
.history .end { stroke: $broken_line; stroke-width: 3; }
""")


def stylesheet() -> str:
    """The rules for everything drawn here, light and dark."""
    dark = _COLOURS.substitute(_DARK)
    return (
        f"{_SHAPES}{_COLOURS.substitute(_LIGHT)}"
        f"@media screen and (prefers-color-scheme: dark) {{{dark}}}\n"
    )

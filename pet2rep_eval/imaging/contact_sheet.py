"""One page with all key slices of a run, to look at before anything is generated from them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fff }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 1.4rem 0 .3rem }
.row { display: flex; gap: 6px; flex-wrap: wrap } figure { margin: 0 } figcaption { font-size: 12px; color:
#555 }
img { height: 260px; background: #000; image-rendering: auto }
.note { color: #8a5a00 } table { border-collapse: collapse } td, th { text-align: left; padding: 2px 10px
2px 0 }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #161616 } figcaption { color: #aaa } }
"""


def contact_sheet(records: Sequence[dict[str, Any]], failures: Sequence[tuple[str, str]]) -> str:
    """An HTML page with relative links to the pictures; of a patient it carries the study id only."""
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>Key slices</title><style>{STYLE}</style>",
        f"<h1>Key slices: {len(records)} studies, {len(failures)} failed</h1>",
    ]
    if failures:
        rows = "".join(f"<tr><td>{html.escape(i)}<td>{html.escape(reason)}" for i, reason in failures)
        parts.append(f"<h2>Failed</h2><table><tr><th>Study<th>Reason{rows}</table>")
    for record in records:
        name = html.escape(record["study_id"])
        parts.append(f"<h2>{name}</h2><div>mean SUV of the body {record['body_mean_suv']:.2f}</div>")
        parts += [f"<div class='note'>{html.escape(note)}</div>" for note in record["notes"]]
        figures = []
        for plane in record["planes"]:
            for variant in ("fused", "ct", "pet"):
                source = quote(f"images/{record['study_id']}/{plane['files'][variant]}")
                label = f"{variant}, {plane['orientation']} {plane['position_mm']:.0f} mm"
                title = html.escape(f"{label}: {plane['reason']}", quote=True)
                figures.append(
                    f"<figure><img loading='lazy' src='{source}' alt='{html.escape(label)}' title='{title}'>"
                    f"<figcaption>{html.escape(label)}</figcaption></figure>"
                )
        parts.append(f"<div class='row'>{''.join(figures)}</div>")
    return "\n".join(parts) + "\n"


def write_contact_sheet(
    output: Path, records: Sequence[dict[str, Any]], failures: Sequence[tuple[str, str]]
) -> Path:
    """``contact_sheet.html`` in *output*."""
    path = output / "contact_sheet.html"
    path.write_text(contact_sheet(records, failures), encoding="utf-8")
    return path

"""The page around a picture: markup, style sheet and script, with nothing filled in yet.

The script marks what happened before and after the event one has chosen. It finds that from the
history's own JSON, by the same rule as ``layout``.
"""

from __future__ import annotations

from string import Template

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; padding: 0 1.5rem;
  max-width: 90rem; color: #1f2328; background: #ffffff; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin-top: 2rem; }
pre, .given { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre { background: #f6f8fa; border-radius: 6px; padding: .6rem .8rem; margin: .4rem 0; }
.breaks { list-style: none; padding: 0; }
.breaks > li { border-left: 4px solid #c5162e; padding-left: .8rem; margin: .8rem 0; }
.breaks strong { color: #c5162e; }
.diagram { overflow-x: auto; border: 1px solid #d1d9e0; border-radius: 6px; }
.diagram svg { display: block; margin: 0 auto; }
.note, #told { color: #59636e; } #told { min-height: 1.5em; }
.held { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem; }
figure { margin: 0; min-width: 0; } figcaption { font-weight: 700; }
.held pre { max-height: 40rem; overflow: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem;
  border-bottom: 1px solid #d1d9e0; }
td:nth-child(4), td:nth-child(7) { min-width: 14rem; overflow-wrap: anywhere; }
a { color: #0969da; }
.history.chosen .event, .history.chosen .arrow { opacity: .25; }
.history.chosen .before, .history.chosen .after, .history.chosen .self { opacity: 1; }
.history.chosen .arrow.before { stroke-width: 3; }
.history.chosen .event.before .box { stroke-width: 3; }
.history.chosen .event.after .box { stroke-dasharray: 1 3; }
.history.chosen .event.self .box { stroke-width: 5; }
tr.self { background: #fff6d6; } tr.before { background: #e7f3ff; }
@media screen and (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; } pre { background: #161b22; } a { color: #58a6ff; }
  .breaks strong { color: #ff6a63; } .note, #told { color: #9198a1; }
  .diagram, th, td { border-color: #30363d; }
  tr.self { background: #332808; } tr.before { background: #10243e; }
}
@media print {
  body { margin: 0; padding: 0; max-width: none; font-size: 11px; }
  .diagram { border: 0; overflow: visible; } .diagram svg { width: 100%; height: auto; }
  .held pre { max-height: none; } .note, #told { display: none; }
  tr, figure, .breaks > li { break-inside: avoid; } h2 { break-after: avoid; }
}
"""

SCRIPT = """
"use strict";
(() => {
  const events = JSON.parse(document.getElementById("history").textContent).events;
  const known = new Map(events.map((event) => [event.number, event]));
  const links = new Set(["cut", "heal"]);
  const whole = new Set(["sync", "clone"]);
  const last = new Map();
  const direct = new Map();
  for (const event of events) {
    const knows = (cause) => known.get(cause).replica === event.replica ||
      !(links.has(event.kind) || links.has(known.get(cause).kind));
    const causes = event.causes.filter(knows);
    if (whole.has(event.kind)) for (const cause of event.causes.map((each) => known.get(each)))
      if (links.has(cause.kind) && [cause.replica, cause.peer].includes(event.peer)) {
        const until = events.slice(0, events.indexOf(cause) + 1);
        const own = until.filter((each) => each.replica === event.peer).pop();
        if (own) causes.push(own.number);
      }
    if (last.has(event.replica)) causes.push(last.get(event.replica));
    direct.set(event.number, causes);
    last.set(event.replica, event.number);
  }
  const past = (number) => {
    const found = new Set();
    const open = [number];
    while (open.length) for (const cause of direct.get(open.pop()) || [])
      if (!found.has(cause)) { found.add(cause); open.push(cause); }
    return found;
  };
  const picture = document.querySelector("svg.history");
  const told = document.getElementById("told");
  const boxes = [...picture.querySelectorAll(".event")];
  let chosen = null;
  const mark = (element, before, after, self) => {
    element.classList.toggle("before", before);
    element.classList.toggle("after", after);
    element.classList.toggle("self", self);
  };
  const show = (number) => {
    chosen = number === chosen ? null : number;
    picture.classList.toggle("chosen", chosen !== null);
    const before = chosen === null ? new Set() : past(chosen);
    const after = new Set();
    if (chosen !== null) for (const event of events)
      if (past(event.number).has(chosen)) after.add(event.number);
    for (const element of document.querySelectorAll("[data-number]")) {
      const own = Number(element.dataset.number);
      mark(element, before.has(own), after.has(own), own === chosen);
      if (element.classList.contains("event")) element.setAttribute("aria-pressed", own === chosen);
    }
    for (const arrow of picture.querySelectorAll(".arrow")) {
      const from = Number(arrow.dataset.from), to = Number(arrow.dataset.to);
      mark(arrow, before.has(from) && (before.has(to) || to === chosen),
        after.has(to) && (after.has(from) || from === chosen), false);
    }
    const beside = events.length - before.size - after.size - 1;
    told.textContent = chosen === null ? "" :
      `Event ${chosen}: ${before.size} happened before it, ` +
      `${after.size} after it, ${beside} beside it: neither knew of the other.`;
  };
  boxes.forEach((box, index) => {
    box.setAttribute("role", "button");
    box.setAttribute("aria-label", box.querySelector("title").textContent);
    box.setAttribute("tabindex", index ? "-1" : "0");
    box.addEventListener("click", () => { box.focus(); show(Number(box.dataset.number)); });
    box.addEventListener("keydown", (pressed) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[pressed.key];
      if (pressed.key === "Enter" || pressed.key === " ") show(Number(box.dataset.number));
      else if (pressed.key === "Escape" && chosen !== null) show(chosen);
      else if (step && boxes[index + step]) {
        box.setAttribute("tabindex", "-1");
        boxes[index + step].setAttribute("tabindex", "0");
        boxes[index + step].focus();
      } else return;
      pressed.preventDefault();
    });
  });
  const follow = () => {
    const hash = location.hash.match(/^#event-\\d+$/) ? location.hash : "#none";
    const box = document.querySelector(hash);
    if (box && known.has(Number(box.dataset.number))) {
      box.focus();
      if (Number(box.dataset.number) !== chosen) show(Number(box.dataset.number));
    }
  };
  addEventListener("hashchange", follow);
  follow();
})();
"""

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<h1>$title</h1>
$broken
<p class="note">$count. Time goes down; a box stands below all it could know of, and two boxes
with no path of lanes and arrows between them are concurrent. Click an event, or move with the arrow
keys and press Enter, to see what happened before it.</p>
<p id="told" role="status"></p>
<div class="diagram"><svg class="history" role="group" aria-label="Space-time diagram"
width="$width" height="$height" viewBox="0 0 $width $height">
$drawing
</svg></div>
$pairs
$holds
$replay
<h2>Events</h2>
<div class="wide"><table>
<thead><tr><th>No.</th><th>At</th><th>Kind</th><th>What</th><th>Directly after</th>
<th></th><th>Detail</th></tr>
</thead>
<tbody>
$rows
</tbody>
</table></div>
<script type="application/json" id="history">$history</script>
<script>$script</script>
</body>
</html>
""")

// The timeline page: what is shown of the feed, what is selected, and every control of it.

import { Detail, Moment, replicaTag } from "./detail.js";
import { Diagram, INSET } from "./diagram.js";
import { byId, download, element, menuUnder, tabs, takesKeys } from "./element.js";
import { Feed } from "./feed.js";
import { bytes, clock, count, title } from "./format.js";
import { Gutter } from "./gutter.js";
import { nearestOnLine } from "./history.js";
import { Layout, clamp, moment } from "./layout.js";
import { Rows } from "./rows.js";
import { shell } from "./shell.js";

const feed = new Feed();
const { history } = feed;
const layout = new Layout(history);
layout.name = (replica) => feed.name(replica);
shell(feed);
const diagram = new Diagram(feed, layout);
const { view } = diagram;
const gutter = new Gutter(feed, layout, diagram);
const detail = new Detail(byId("detail"), feed, select);
const then = new Moment(byId("moment"), feed);

let selected = null;
let seenEnd = 0; // what came after it is new
let contests = 0; // of the history, when the list was made
let linked = Number.parseInt(location.hash.slice(1), 10);

// --- what comes -----------------------------------------------------------------------------

let pending = null; // "extended" or "changed"

function later(what) {
  if (pending === null) requestAnimationFrame(update);
  if (pending !== "changed") pending = what;
}

feed.addEventListener("events", () => later("extended"));
feed.addEventListener("amended", () => {
  later("changed");
  // Nothing may be drawn, or pointed at, that is no more there.
  if (layout.epoch !== history.epoch) update();
});
feed.addEventListener("replicas", () => {
  gutter.draw();
  drawPeers();
  drawExports();
  later("extended");
});
feed.addEventListener("status", () => byId("export-button").toggleAttribute("disabled", feed.status !== "open"));

function update() {
  if (pending === null) return;
  const what = pending;
  pending = null;
  const lanes = layout.rowOf.length;
  const shown = layout.shown.length;
  const breaks = layout.breaks.length;
  const { version } = layout;
  layout.extend();
  const again = what === "changed" || version !== layout.version || lanes !== layout.rowOf.length;
  if (again) diagram.changed();
  else diagram.extended(breaks !== layout.breaks.length);
  if (selected !== null && layout.rank(selected) < 0) select(null);
  if (lanes !== layout.rowOf.length) gutter.draw();
  drawSlices();
  if (again || contests !== history.contests) rows.refresh(layout.shown.length);
  else if (layout.shown.length !== shown) rows.extend(layout.shown.length);
  contests = history.contests;
  if (view.following) {
    seenEnd = history.end;
    if (!byId("list").hidden) rows.toEnd();
  }
  detail.refresh();
  if (then.visible && selected === null) then.show(null);
  if (!Number.isNaN(linked) && history.get(linked) !== undefined) {
    const n = linked;
    linked = Number.NaN;
    select(n);
  }
  drawEmpty();
  drawPosition();
}

function drawEmpty() {
  const note = byId("empty");
  note.hidden = layout.shown.length > 0;
  if (note.hidden) return;
  const waiting = feed.hello === null ? "Connecting …" : "Nothing has happened yet. Dispatch something.";
  note.textContent = history.events.length > 0 ? "The filter lets no event through." : waiting;
}

// --- selecting ------------------------------------------------------------------------------

function select(n) {
  selected = n;
  diagram.select(n);
  detail.show(n);
  then.show(n);
  const rank = n === null ? -1 : layout.rank(n);
  for (const [index, row] of rows.made) row.setAttribute("aria-selected", String(index === rank));
  if (rank >= 0 && !byId("list").hidden) rows.reveal(rank);
  byId("list-scroller").setAttribute("aria-activedescendant", rank >= 0 ? `row-${rank}` : "");
  if (n !== null) announce(n);
  drawPosition();
}

let announcing = null;

function announce(n) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    const event = history.get(n);
    if (event === undefined) return;
    const words = [`Event ${n}`, title(event, feed.name.bind(feed)), `at ${feed.name(event.replica)}`];
    if (history.isContested(n)) words.push("in conflict");
    byId("announce").textContent = words.join(", ");
  }, 250);
}

function drawPosition() {
  const total = layout.shown.length;
  const slider = byId("slider");
  const rank = selected === null ? total - 1 : layout.nearest(selected);
  slider.max = String(Math.max(0, total - 1));
  slider.value = String(Math.max(0, rank));
  slider.disabled = total === 0;
  slider.classList.toggle("idle", selected === null);
  const event = selected === null ? undefined : history.get(selected);
  const at = event === undefined ? count(total, "event") : `${rank + 1} of ${total}`;
  const when = event === undefined ? "" : ` · ${clock(moment(event))}`;
  byId("position").textContent = total === 0 ? "No events" : at + when;
  slider.setAttribute("aria-valuetext", event === undefined ? "now" : `event ${at}${when}`);
  drawFollow();
}

function drawFollow() {
  const button = byId("follow");
  const fresh = history.end - Math.max(seenEnd, history.base);
  button.setAttribute("aria-pressed", String(view.following));
  button.textContent = view.following ? "Following" : fresh > 0 ? `${fresh} new` : "Follow";
  button.classList.toggle("fresh", !view.following && fresh > 0);
}

diagram.addEventListener("pick", ({ n }) => select(n));
diagram.addEventListener("view", () => {
  if (view.following) seenEnd = history.end;
  drawFollow();
  drawSeen();
  gutter.place();
});

/** Show in the scrubber which part the diagram shows. */
function drawSeen() {
  const seen = byId("seen");
  const [width] = diagram.track ?? [0];
  const total = layout.shown.length;
  const [first, end] = layout.window(view.unit(0), view.unit(view.width));
  seen.hidden = total < 2 || byId("diagram").hidden;
  const scale = (width - 2 * INSET) / Math.max(1, total - 1);
  seen.style.left = `${INSET + first * scale}px`;
  seen.style.width = `${Math.max(4, (Math.max(first, end - 1) - first) * scale)}px`;
}

// --- filters --------------------------------------------------------------------------------

function filter() {
  // The event in view stays in view.
  const anchor = selected ?? layout.shown[Math.min(layout.shown.length - 1, layout.window(view.unit(view.width / 2), Infinity)[0])];
  layout.rebuild();
  diagram.changed();
  if (anchor !== undefined && !view.following) view.centre(layout.unit(anchor));
  gutter.draw();
  rows.refresh(layout.shown.length);
  if (selected !== null && layout.rank(selected) < 0) select(null);
  drawEmpty();
  drawPosition();
}

let typing = null;
byId("filter").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    layout.text = event.target.value.trim().toLowerCase();
    filter();
  }, history.events.length > 20_000 ? 200 : 60);
});

function check(label, on, changed) {
  const box = element("input", { type: "checkbox" });
  box.checked = on;
  box.addEventListener("change", () => changed(box.checked));
  return element("label", { class: "check" }, box, label);
}

function drawPeers() {
  const menu = byId("peers");
  const key = history.names.map((id) => feed.name(id)).join("\n");
  if (menu.dataset.key === key) return;
  menu.dataset.key = key;
  const boxes = history.names.map((id) =>
    check(replicaTag(feed, id), !layout.hidden.has(id), (on) => {
      if (on) layout.hidden.delete(id);
      else layout.hidden.add(id);
      byId("peers-button").classList.toggle("active", layout.hidden.size > 0);
      filter();
    }),
  );
  menu.replaceChildren(...boxes);
}

function drawSlices() {
  const menu = byId("slices");
  const names = [...history.slices].sort();
  if (menu.dataset.key === names.join("\n")) return;
  menu.dataset.key = names.join("\n");
  const off = new Set(layout.slices === null ? [] : names.filter((name) => !layout.slices.has(name)));
  const boxes = names.map((name) =>
    check(name, !off.has(name), (on) => {
      if (on) off.delete(name);
      else off.add(name);
      layout.slices = off.size > 0 ? new Set(names.filter((one) => !off.has(one))) : null;
      byId("slices-button").classList.toggle("active", off.size > 0);
      filter();
    }),
  );
  menu.replaceChildren(...boxes);
}

// --- export ---------------------------------------------------------------------------------

function drawExports() {
  const menu = byId("export");
  const key = feed.replicas.map((replica) => `${replica.id} ${replica.name} ${replica.attached}`).join("\n");
  if (menu.dataset.key === key) return;
  menu.dataset.key = key;
  const item = (text, note, fields) => {
    const button = element(
      "button",
      { class: "menu-item", type: "button" },
      text,
      element("span", { class: "muted", text: note }),
    );
    button.addEventListener("click", () => save(fields));
    return button;
  };
  const logs = feed.replicas
    .filter((replica) => replica.attached)
    .map((replica) =>
      item(`Redux log of ${feed.name(replica.id)}`, "for Redux DevTools", {
        format: "log",
        replica: replica.id,
      }),
    );
  menu.replaceChildren(
    item("History", "a file of the convergence kit", { format: "history" }),
    item("Replay test", "Python, runs as it is", { format: "test" }),
    ...logs,
    element("p", { id: "export-error", class: "note error", role: "alert", hidden: true }),
  );
}

function save(fields) {
  const note = byId("export-error");
  note.hidden = true;
  feed.request("export", fields).then(
    ({ name, text }) => {
      byId("export").hidePopover();
      download(name, text);
    },
    (error) => {
      note.textContent = error.message;
      note.hidden = false;
    },
  );
}

// --- the list -------------------------------------------------------------------------------

const rows = new Rows(byId("list-scroller"), { height: 30, render: renderRow });

function renderRow(rank) {
  const event = history.get(layout.shown[rank]);
  const cell = (content, name = "") => element("span", { class: name, role: "gridcell" }, content);
  const row = element(
    "div",
    {
      class: `row ${event.kind}`,
      id: `row-${rank}`,
      role: "row",
      "aria-rowindex": rank + 2,
      "aria-selected": String(event.n === selected),
      dataset: { n: event.n },
    },
    cell(String(event.n), "muted number"),
    cell(clock(moment(event)), "number"),
    cell(replicaTag(feed, event.replica)),
    cell(word(event)),
    cell(title(event, feed.name.bind(feed)), "label"),
    cell(event.bytes > 0 ? bytes(event.bytes) : "", "number"),
  );
  if (history.isContested(event.n)) {
    row.children[4].prepend(element("span", { class: "conflict-badge", text: "conflict" }));
  }
  row.addEventListener("click", () => select(event.n));
  return row;
}

function word(event) {
  if (event.kind === "act") return "action";
  if (event.kind !== "deliver") return event.kind;
  return event.peer ? `delivery from ${feed.name(event.peer)}` : "delivery";
}

function show(list) {
  byId("list").hidden = !list;
  byId("diagram").hidden = list;
  byId("view-list").setAttribute("aria-pressed", String(list));
  byId("view-diagram").setAttribute("aria-pressed", String(!list));
  byId("list-scroller").setAttribute("aria-rowcount", String(layout.shown.length + 1));
  if (list) {
    rows.refresh(layout.shown.length);
    if (selected !== null) rows.reveal(Math.max(0, layout.rank(selected)));
    else rows.toEnd();
  }
  diagram.resize();
  drawSeen();
}

// --- controls -------------------------------------------------------------------------------

function step(by) {
  const { shown } = layout;
  if (shown.length === 0) return;
  const at = selected === null ? (by < 0 ? shown.length : shown.length - 1) : layout.nearest(selected);
  select(shown[clamp(at + by, 0, shown.length - 1)]);
}

function stepOnLine(by) {
  const event = selected === null ? undefined : history.get(selected);
  if (event === undefined) return step(by);
  const rank = layout.rank(selected);
  for (let at = rank + by; at >= 0 && at < layout.shown.length; at += by) {
    if (history.get(layout.shown[at]).replica === event.replica) return select(layout.shown[at]);
  }
}

function stepRow(by) {
  const event = selected === null ? undefined : history.get(selected);
  if (event === undefined) return step(0);
  const row = layout.rowOf[history.lanes.get(event.replica)];
  for (let at = row + by; at >= 0 && at < layout.rows.length; at += by) {
    const numbers = history.lines[layout.rows[at]].filter((n) => layout.rank(n) >= 0);
    if (numbers.length > 0) return select(nearestOnLine(numbers, selected));
  }
}

function page(by) {
  const per = Math.max(1, Math.floor((view.width * 0.9) / Math.max(view.scale, 0.01)));
  const [first, end] = layout.window(view.unit(0), view.unit(view.width));
  step(by * (layout.mode === "order" ? per : Math.max(1, end - first)));
}

function zoom(factor) {
  const at = selected === null ? null : diagram.position(selected);
  const seen = at !== null && at.x >= 0 && at.x <= view.width;
  if (seen) view.zoom(factor, at.x);
  else view.zoom(factor, view.following ? view.width : view.width / 2);
  diagram.draw();
}

function follow(on) {
  view.following = on;
  if (on) {
    seenEnd = history.end;
    if (selected !== null) select(null);
    view.following = true;
    if (!byId("list").hidden) rows.toEnd();
  }
  view.settle();
  diagram.draw();
  drawFollow();
}

function axis(mode) {
  if (layout.mode === mode) return;
  const [first, end] = layout.window(view.unit(0), view.unit(view.width));
  const middle = layout.shown[(first + end) >> 1];
  const anchor = selected ?? (view.following ? null : (middle ?? null));
  view.turn(mode, anchor);
  byId("axis-order").setAttribute("aria-pressed", String(mode === "order"));
  byId("axis-time").setAttribute("aria-pressed", String(mode === "time"));
  diagram.changed();
}

function fit() {
  view.fit();
  diagram.draw();
}

const press = (id, action) => byId(id).addEventListener("click", action);
press("first", () => step(-Infinity));
press("previous", () => step(-1));
press("next", () => step(1));
press("last", () => step(Infinity));
press("zoom-in", () => zoom(1.5));
press("zoom-out", () => zoom(1 / 1.5));
press("zoom-fit", fit);
press("axis-order", () => axis("order"));
press("axis-time", () => axis("time"));
press("view-diagram", () => show(false));
press("view-list", () => show(true));
press("follow", () => follow(!view.following));
press("help-button", () => byId("help").showModal());
press("help-close", () => byId("help").close());
byId("slider").addEventListener("input", (event) => select(layout.shown[Number(event.target.value)] ?? null));
menuUnder(byId("peers-button"), byId("peers"));
menuUnder(byId("slices-button"), byId("slices"));
menuUnder(byId("export-button"), byId("export"));
tabs(document.querySelector(".tabs"), (name) => {
  then.visible = name === "moment";
  if (then.visible) then.draw();
});

const KEYS = {
  ArrowLeft: (event) => (event.shiftKey ? stepOnLine(-1) : step(-1)),
  ArrowRight: (event) => (event.shiftKey ? stepOnLine(1) : step(1)),
  ArrowUp: () => (byId("list").hidden ? stepRow(-1) : step(-1)),
  ArrowDown: () => (byId("list").hidden ? stepRow(1) : step(1)),
  Home: () => step(-Infinity),
  End: () => step(Infinity),
  PageUp: () => page(-1),
  PageDown: () => page(1),
  "+": () => zoom(1.5),
  "=": () => zoom(1.5),
  "-": () => zoom(1 / 1.5),
  0: fit,
  f: () => follow(!view.following),
  l: () => show(byId("list").hidden),
  t: () => axis(layout.mode === "order" ? "time" : "order"),
  "/": () => byId("filter").focus(),
  "?": () => byId("help").showModal(),
  Escape: () => select(null),
};

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || !(target instanceof Element)) return;
  if (target.id === "filter" && event.key === "Escape") {
    target.blur();
    return;
  }
  if (takesKeys(target) || target.closest("[popover]")) return;
  // In the pane at the side the keys that scroll are its own.
  const scrolls = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"];
  if (target.closest(".side") && scrolls.includes(event.key)) return;
  if (event.key === "Enter" && target.closest("canvas, .scroller, #slider")) {
    byId("detail").focus();
    return;
  }
  const action = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (action === undefined) return;
  event.preventDefault();
  action(event);
});

// For tests: where things are, nothing that changes them.
window.timeline = Object.freeze({
  position: (n) => diagram.position(n),
  relation: (n, other) => history.relation(n, other),
  get selected() { return selected; },
  get following() { return view.following; },
  get end() { return history.end; },
  get shown() { return [...layout.shown]; },
  get seen() { return layout.window(view.unit(0), view.unit(view.width)); },
  get bands() { return structuredClone(diagram.spans.bands); },
  get absences() { return structuredClone(diagram.spans.absences); },
  get rowHeight() { return diagram.rowHeight; },
  get single() { return diagram.single; },
  get frames() { return [...diagram.frames]; },
  colour: (replica) => diagram.painted.lanes[history.lanes.get(replica)],
  theme: (name) => diagram.colours[name],
});

detail.show(null);
drawEmpty();
feed.start();

// The inspector: one replica's actions, what each of them did, and its state, now or then.

import { replicaTag, stateAt } from "./detail.js";
import { byId, element, tabs, takesKeys } from "./element.js";
import { Feed } from "./feed.js";
import { bytes, clock, count } from "./format.js";
import { clamp, moment } from "./layout.js";
import { Rows } from "./rows.js";
import { lineColour, shell } from "./shell.js";
import { Tree, changes } from "./tree.js";

const feed = new Feed();
const { history } = feed;
shell(feed);

let chosen = null; // the replica
let selected = null; // the event; null is whatever is newest
let jumped = null; // the event whose state is looked at, whatever is selected
let text = "";
let tab = "state";
let contests = 0; // of the history, when the list was made
let shown = []; // numbers of the events in the list
let drawn = ""; // what the panes show, so that it is asked for once
const start = new URLSearchParams(location.hash.slice(1));

const tree = new Tree({ depth: 2, label: "state" });
const rows = new Rows(byId("actions"), { height: 30, render: renderRow, role: "presentation" });

// --- what comes -----------------------------------------------------------------------------

let waiting = false;

function later() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    refresh();
  });
}

feed.addEventListener("events", later);
feed.addEventListener("amended", () => {
  drawn = "";
  later();
});
feed.addEventListener("replicas", () => {
  const first = feed.replicas.find((one) => one.attached) ?? feed.replicas[0];
  if (chosen === null || !feed.byId.has(chosen)) chosen = first?.id ?? null;
  const asked = start.get("replica");
  if (asked !== null && feed.byId.has(asked)) {
    chosen = asked;
    start.delete("replica");
  }
  drawReplicas();
  later();
});
feed.addEventListener("hello", () => {
  byId("redux-note").hidden = feed.hello.redux === true;
});
feed.addEventListener("status", () => {
  drawDispatcher();
  drawn = "";
  later();
});

/** Show what is known now. */
function refresh() {
  const before = shown;
  const line = chosen === null ? [] : history.lines[history.lane(chosen)];
  shown = line.filter((n) => fits(history.get(n)));
  const settled = contests === history.contests;
  contests = history.contests;
  const same = settled && before.length <= shown.length && before[0] === shown[0] && before.at(-1) === shown[before.length - 1];
  if (same && drawn !== "") rows.extend(shown.length);
  else rows.refresh(shown.length);
  const asked = Number.parseInt(start.get("n"), 10);
  if (shown.includes(asked)) {
    start.delete("n");
    select(asked);
    return;
  }
  if (selected !== null && history.get(selected) === undefined) selected = null;
  if (jumped !== null && history.get(jumped) === undefined) jumped = null;
  if (selected === null) rows.toEnd();
  mark();
  drawPanes();
}

function fits(event) {
  if (event.kind !== "act" && event.kind !== "deliver") return false;
  if (event.number === null || event.number === undefined) return false;
  const said = `${event.label} ${event.action} ${event.peer ? feed.name(event.peer) : ""}`;
  return text === "" || said.toLowerCase().includes(text);
}

// --- replicas -------------------------------------------------------------------------------

function drawReplicas() {
  byId("no-replicas").hidden = feed.replicas.length > 0;
  drawDispatcher();
  const focused = byId("replicas").contains(document.activeElement);
  const cards = feed.replicas.map((replica) => {
    const on = replica.id === chosen;
    const state = !replica.attached ? "not watched" : replica.online ? "online" : "offline";
    const facts = element("span", { class: "lane-facts" });
    if (replica.lag > 0) facts.append(element("span", { class: "warning", text: `${replica.lag} behind` }));
    else if (replica.lag === 0) facts.append(element("span", { class: "good", text: "has all" }));
    if (replica.digest) {
      const differs = replica.agrees === false;
      facts.append(
        element("span", {
          class: differs ? "digest differs" : "digest",
          text: `${differs ? "≠" : "="} ${replica.digest.slice(0, 6)}`,
          title: differs ? "its content differs from the others’" : `digest ${replica.digest}`,
        }),
      );
    }
    const links = (replica.links ?? []).map((link) =>
      element("span", { class: "links", text: linkText(link) }),
    );
    const card = element(
      "button",
      { class: "replica-card", type: "button", role: "radio", "aria-checked": String(on), tabindex: on ? 0 : -1 },
      element(
        "span",
        { class: "lane-name" },
        replicaTag(feed, replica.id),
        element("span", { class: `presence ${replica.online ? "online" : "offline"}`, text: state }),
      ),
      facts,
      ...links,
    );
    card.addEventListener("click", () => choose(replica.id));
    return card;
  });
  byId("replicas").replaceChildren(...cards);
  if (focused) byId("replicas").querySelector('[aria-checked="true"]')?.focus();
}

/** Let text be dispatched where the replica takes some: a file does not. */
function drawDispatcher() {
  const takes = feed.byId.get(chosen)?.features?.dispatch !== false;
  byId("dispatch").disabled = feed.status !== "open" || !takes;
  byId("text").disabled = !takes;
}

function linkText(link) {
  const to = link.to ? feed.name(link.to) : link.address;
  const facts = [`${to}: ${link.state}`];
  if (link.behind > 0) facts.push(`${count(link.behind, "frame")} queued`);
  if (link.round_trip !== null && link.round_trip !== undefined) {
    facts.push(`${Math.max(1, Math.round(link.round_trip * 1000))} ms`);
  }
  if (link.error) facts.push(link.error);
  return facts.join(" · ");
}

function choose(replica) {
  chosen = replica;
  selected = null;
  jumped = null;
  drawn = "";
  drawReplicas();
  refresh();
}

byId("replicas").addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (by === undefined || feed.replicas.length === 0) return;
  event.preventDefault();
  event.stopPropagation();
  const at = feed.replicas.findIndex((replica) => replica.id === chosen);
  choose(feed.replicas[(at + by + feed.replicas.length) % feed.replicas.length].id);
});

// --- the list -------------------------------------------------------------------------------

function renderRow(index) {
  const event = history.get(shown[index]);
  const author = event.kind === "deliver" && event.peer ? event.peer : event.replica;
  const dot = element("span", { class: `dot ${event.kind}`, "aria-hidden": "true" });
  dot.style.color = `var(${lineColour(history, author)})`;
  const row = element(
    "div",
    {
      class: `row option ${event.kind}`,
      role: "option",
      id: `option-${event.n}`,
      "aria-selected": String(event.n === current()),
      dataset: { n: event.n },
    },
    dot,
    element("span", { class: "label", text: event.label || event.action }),
    element("span", { class: "muted", text: event.kind === "deliver" ? feed.name(event.peer) : "" }),
    element("span", { class: "muted number", text: clock(moment(event)) }),
  );
  if (history.isContested(event.n)) {
    row.children[1].prepend(element("span", { class: "conflict-badge", text: "conflict" }));
  }
  row.addEventListener("click", () => select(event.n));
  return row;
}

/** The event that the panes show: the selected one, or the newest. */
function current() {
  return selected ?? shown.at(-1) ?? null;
}

function mark() {
  const now = current();
  for (const [index, row] of rows.made) row.setAttribute("aria-selected", String(shown[index] === now));
  byId("actions").setAttribute("aria-activedescendant", now === null ? "" : `option-${now}`);
  byId("live").setAttribute("aria-pressed", String(selected === null));
  byId("live").textContent = selected === null ? "Following" : "Follow";
}

function select(n) {
  selected = n;
  if (n !== null) rows.reveal(shown.indexOf(n));
  else rows.toEnd();
  mark();
  drawPanes();
}

function step(by) {
  if (shown.length === 0) return;
  const at = shown.indexOf(current());
  select(shown[clamp(at + by, 0, shown.length - 1)]);
}

let typing = null;
byId("filter").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    text = event.target.value.trim().toLowerCase();
    drawn = "";
    refresh();
  }, 60);
});

// --- what is inspected ----------------------------------------------------------------------

let asking = null; // what was asked for last, until it is answered
let asked = 0;
let retry = null;

/**
 * Show the chosen event; what has to be asked for is asked for where it is looked at. Who follows
 * what happens gets a few states a second: they cost the program something.
 */
function drawPanes() {
  const n = current();
  const key = `${chosen} ${n} ${tab} ${jumped} ${feed.status}`;
  if (key === drawn) return;
  const follows = selected === null && drawn.startsWith(`${chosen} `);
  if (follows && (asking === drawn || performance.now() - asked < 250)) {
    retry ??= setTimeout(() => {
      retry = null;
      drawPanes();
    }, 120);
    return;
  }
  drawn = key;
  asking = key;
  asked = performance.now();
  const event = n === null ? undefined : history.get(n);
  drawHead(event);
  drawLook();
  const done = tab === "state" ? drawState(event, key) : drawDetail(event, key);
  done.finally(() => {
    if (asking === key) asking = null;
  });
}

function drawHead(event) {
  const head = byId("head");
  if (event === undefined) {
    head.replaceChildren(element("p", { class: "note", text: "No action yet." }));
    return;
  }
  const features = feed.byId.get(chosen)?.features ?? {};
  const jump = element("button", {
    type: "button",
    id: "jump",
    text: "Jump",
    title: "Look at the state after this action; nothing changes",
  });
  jump.addEventListener("click", () => {
    jumped = event.n;
    chooseTab("state");
    drawPanes();
  });
  const revert = element("button", {
    type: "button",
    id: "revert",
    text: "Revert …",
    title: "Undo what it changed by a new action",
    disabled: features.revert === false,
  });
  revert.addEventListener("click", () => confirm(event));
  const by = event.kind === "deliver" && event.peer ? event.peer : event.replica;
  head.replaceChildren(
    element("h2", { text: event.label || event.action }),
    element(
      "p",
      { class: "facts" },
      replicaTag(feed, by),
      element("time", { text: clock(moment(event)) }),
      element("span", { class: "muted", text: bytes(event.bytes) }),
      ...(event.slices ?? []).map((slice) => element("span", { class: "chip", text: slice })),
    ),
    element(
      "div",
      { class: "buttons" },
      jump,
      revert,
      element("a", { href: `timeline#${event.n}`, text: "Show in the timeline" }),
    ),
  );
}

function drawLook() {
  byId("look").hidden = jumped === null;
  const event = jumped === null ? undefined : history.get(jumped);
  if (event === undefined) return;
  byId("look-text").textContent =
    `You look at the state after #${event.n} (${event.label || event.action}). Nothing has changed.`;
}

async function drawState(event, key) {
  const panel = byId("panel-state");
  const at = jumped === null ? event : history.get(jumped);
  if (chosen === null) return;
  try {
    const value = await stateAt(feed, chosen, at);
    if (drawn !== key) return;
    tree.show(value);
    panel.replaceChildren(element("div", { class: "inspect-body" }, tree.element));
  } catch (error) {
    if (drawn === key) panel.replaceChildren(element("p", { class: "note error", text: error.message }));
  }
}

async function drawDetail(event, key) {
  const panel = byId(tab === "action" ? "panel-action" : "panel-diff");
  if (event === undefined) {
    panel.replaceChildren();
    return;
  }
  let value;
  try {
    value = await feed.request("detail", { n: event.n });
  } catch (error) {
    if (drawn === key) panel.replaceChildren(element("p", { class: "note error", text: error.message }));
    return;
  }
  if (drawn !== key) return;
  const body = element("div", { class: "inspect-body" });
  if (tab === "diff") {
    body.append(
      value.diff?.length > 0
        ? changes(value.diff, value.truncated)
        : element("p", { class: "note", text: "It changed nothing." }),
    );
  } else {
    const action = new Tree({ depth: 3, label: "action" });
    const { action: type, at, number } = event;
    const made = { type };
    if (value.payload !== null && value.payload !== undefined) made.payload = value.payload;
    if (value.meta !== null && value.meta !== undefined) made.meta = value.meta;
    action.show({ ...made, "@": { by: feed.name(event.peer || event.replica), at: clock(at), record: number } });
    body.append(action.element);
    if (value.payload_shared === false) {
      body.append(element("p", { class: "note", text: "The slice does not share payloads with other replicas." }));
    }
  }
  panel.replaceChildren(body);
}

byId("look-end").addEventListener("click", () => {
  jumped = null;
  select(null);
});
byId("live").addEventListener("click", () => select(selected === null ? (shown.at(-1) ?? null) : null));

const chooseTab = tabs(document.querySelector(".tabs"), (name) => {
  tab = name;
  drawPanes();
});

// --- reverting and dispatching --------------------------------------------------------------

let reverting = null;

function confirm(event) {
  reverting = event.n;
  byId("confirm-text").textContent = event.label || event.action;
  byId("confirm").showModal();
}

byId("confirm-no").addEventListener("click", () => byId("confirm").close());
byId("confirm-yes").addEventListener("click", () => {
  byId("confirm").close();
  told(feed.request("revert", { n: reverting }), ({ changed, skipped }) => {
    const done = changed === false ? "There was nothing left to revert." : "Reverted by a new action.";
    return skipped?.length > 0 ? `${done} Left alone: ${count(skipped.length, "place")}.` : done;
  });
});

function told(promise, success) {
  const output = byId("dispatched");
  output.className = "muted";
  output.textContent = "…";
  return promise.then(
    (value) => {
      output.textContent = success(value);
      output.className = "good";
      select(null);
      return true;
    },
    (error) => {
      output.textContent = error.message;
      output.className = "error";
      return false;
    },
  );
}

async function dispatch() {
  const field = byId("text");
  if (chosen === null || field.value.trim() === "") return;
  await told(feed.request("dispatch", { replica: chosen, text: field.value }), ({ changed }) =>
    changed === false ? "Dispatched: no slice changed anything." : "Dispatched.",
  );
}

byId("dispatch").addEventListener("click", dispatch);
byId("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    dispatch();
  }
});

const KEYS = {
  ArrowUp: () => step(-1),
  ArrowDown: () => step(1),
  PageUp: () => step(-15),
  PageDown: () => step(15),
  Home: () => step(-Infinity),
  End: () => select(null),
  "/": () => byId("filter").focus(),
};

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || !(target instanceof Element)) return;
  if (takesKeys(target)) return;
  if (target.closest(".pane, [role=radiogroup], [role=tablist]") && event.key !== "/") return;
  const action = KEYS[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
});

feed.start();

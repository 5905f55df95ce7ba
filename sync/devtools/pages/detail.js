// What is known of one event: where it came from, what it did, and to whom it was known when.

import { element } from "./element.js";
import { bytes, clock, count, dump, path, span, title } from "./format.js";
import { moment } from "./layout.js";
import { lineColour } from "./shell.js";
import { Tree, changes, preview } from "./tree.js";

const WORDS = {
  act: "action",
  deliver: "delivery",
  cut: "link cut",
  heal: "link healed",
  join: "joined",
  leave: "left",
};

/** Return a replica's name with a swatch in its colour. */
export function replicaTag(feed, replica) {
  const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.backgroundColor = `var(${lineColour(feed.history, replica)})`;
  return element("span", { class: "replica-tag" }, swatch, feed.name(replica));
}

/** The pane for one event; `select(n)` is called when another one is chosen in it. */
export class Detail {
  constructor(pane, feed, select) {
    this.pane = pane;
    this.feed = feed;
    this.select = select;
    this.n = null;
    this.closed = new Set(["Delta bytes"]); // sections that are not open
    this.timer = null;
    this.refreshing = null;
    this.answer = null;
  }

  /** Show event `n`, or nothing if it is `null`. */
  show(n) {
    if (n === this.n && n !== null) return;
    this.n = n;
    this.answer = null;
    clearTimeout(this.timer);
    this.draw();
    const event = n === null ? undefined : this.feed.history.get(n);
    if (event === undefined || (event.kind !== "act" && event.kind !== "deliver")) return;
    // Who scrubs through events asks for the one where they stop.
    this.timer = setTimeout(() => this.ask(n), 60);
  }

  ask(n) {
    this.feed.request("detail", { n }).then(
      (value) => this.take(n, { value }),
      (error) => this.take(n, { error: error.message }),
    );
  }

  take(n, answer) {
    if (n !== this.n) return;
    this.answer = answer;
    this.draw();
  }

  /** Draw again: more came to be known of the event. */
  draw() {
    const { feed, pane, n } = this;
    const event = n === null ? undefined : feed.history.get(n);
    if (event === undefined) {
      pane.replaceChildren(
        element("div", { class: "hint" }, "Select an event to see what it did.", keys()),
      );
      return;
    }
    this.event = event;
    this.had = this.brought(event);
    this.rivals = this.feed.history.rivals(event.n).length;
    pane.replaceChildren(this.head(event), this.cone(event), ...this.sections(event));
  }

  /** More happened: say what that means for the event, a few times a second at most. */
  refresh() {
    if (this.n === null || this.refreshing !== null) return;
    this.refreshing = setTimeout(() => {
      this.refreshing = null;
      const event = this.n === null ? undefined : this.feed.history.get(this.n);
      if (event === undefined) return;
      if (event !== this.event) {
        this.draw();
        return;
      }
      this.pane.querySelector(".cones")?.replaceWith(this.cone(event));
      const rivals = this.feed.history.rivals(event.n).length;
      if (rivals !== this.rivals) {
        this.rivals = rivals;
        this.ask(event.n);
      }
      const had = this.brought(event);
      if (had === this.had) return;
      this.had = had;
      this.pane.querySelector(".who")?.replaceWith(this.deliveries(event));
    }, 250);
  }

  /** How often an act was delivered so far. */
  brought(event) {
    const { history } = this.feed;
    return history.deliveries[event.n - history.base]?.length ?? 0;
  }

  head(event) {
    const { feed } = this;
    const link = new URLSearchParams({ replica: event.replica, n: event.n });
    const facts = element("p", { class: "facts" }, replicaTag(feed, event.replica));
    if (event.kind === "deliver" && event.peer) {
      facts.append(element("span", { class: "muted", text: "from" }), replicaTag(feed, event.peer));
    }
    facts.append(element("time", { text: clock(moment(event)) }));
    if (event.bytes > 0) facts.append(element("span", { text: bytes(event.bytes) }));
    if (event.changed > 0) facts.append(element("span", { text: count(event.changed, "change") }));
    for (const slice of event.slices ?? []) facts.append(element("span", { class: "chip", text: slice }));
    return element(
      "header",
      { class: "detail-head" },
      element(
        "p",
        { class: "eyebrow" },
        element("span", { class: `kind ${event.kind}`, text: WORDS[event.kind] ?? event.kind }),
        element("span", { class: "muted", text: `#${event.n}` }),
        event.number === null || event.number === undefined
          ? null
          : element("a", { class: "aside", href: `./#${link}`, text: "Inspect" }),
      ),
      element("h2", { id: "detail-title", text: title(event, (id) => feed.name(id)) }),
      facts,
    );
  }

  /** How many actions are before, beside and after it. */
  cone(event) {
    const sums = this.feed.history.sums(event.n);
    const cell = (name, text) =>
      element(
        "div",
        { class: `cone ${name}` },
        element("dd", { text: String(sums[name]) }),
        element("dt", { text }),
      );
    return element(
      "dl",
      { class: "cones" },
      cell("past", "actions before"),
      cell("concurrent", "concurrent"),
      cell("future", "actions after"),
    );
  }

  sections(event) {
    const { answer } = this;
    const made = [];
    const add = (name, ...content) => made.push(this.section(name, ...content));
    if (event.kind === "act" || event.kind === "deliver") {
      if (answer === null) made.push(element("p", { class: "note", text: "Asking for the details …" }));
      else if (answer.error !== undefined) {
        made.push(element("p", { class: "note error", text: `No details: ${answer.error}` }));
      } else this.answered(event, answer.value, add);
    }
    if (event.kind === "act") add("Who had it when", this.deliveries(event));
    if (event.kind === "deliver" && event.acts?.length > 0) {
      add("What it brought", this.eventList(event.acts));
    }
    if (event.kind === "act") {
      const listed = answer?.value?.concurrent ?? this.feed.history.concurrent(event.n);
      const known = listed.filter((n) => this.feed.history.get(n) !== undefined);
      if (known.length > 0) add("Concurrent actions", this.eventList(known));
    }
    return made;
  }

  answered(event, value, add) {
    if (event.kind === "act" || value.payload !== null) {
      if (value.payload === null || value.payload === undefined) {
        const text = value.payload_shared === false
          ? "The slice does not share payloads with other replicas."
          : "none";
        add("Payload", element("p", { class: "note", text }));
      } else {
        const tree = new Tree({ depth: 2, label: "payload" });
        tree.show(value.payload);
        add("Payload", tree.element);
      }
    }
    if (value.conflicts?.length > 0) add("Conflicts", ...value.conflicts.map((item) => this.conflict(item)));
    const diff = value.diff ?? [];
    add(
      "Changes",
      diff.length > 0
        ? changes(diff, value.truncated)
        : element("p", { class: "note", text: "It changed nothing." }),
    );
    for (const [slice, delta] of Object.entries(value.deltas ?? {})) {
      const shown = delta.hex.length / 2;
      add(
        "Delta bytes",
        element("p", { class: "note", text: `${slice}: ${bytes(delta.bytes)}` }),
        element("pre", { class: "hex", tabindex: "0", text: dump(delta.hex) }),
        shown < delta.bytes
          ? element("p", { class: "note", text: `… ${bytes(delta.bytes - shown)} more` })
          : null,
      );
    }
  }

  section(name, ...content) {
    const made = element(
      "details",
      { class: "section", open: !this.closed.has(name), dataset: { section: name } },
      element("summary", { text: name }),
      ...content,
    );
    made.addEventListener("toggle", () => {
      if (made.open) this.closed.delete(name);
      else this.closed.add(name);
    });
    return made;
  }

  conflict({ path: keys, values }) {
    const verdict = (entry) => (entry.won === true ? "won" : entry.won === false ? "lost" : "open");
    const rows = values.map((entry) =>
      element(
        "tr",
        { class: verdict(entry) },
        element("td", {}, replicaTag(this.feed, entry.replica)),
        element("td", {}, element("code", { text: preview(entry.value, 40) })),
        element("td", { text: clock(entry.at) }),
        element("td", {}, element("span", { class: "verdict", text: verdict(entry) })),
        element("td", {}, this.goTo(entry.n)),
      ),
    );
    return element(
      "table",
      { class: "conflict" },
      element("caption", { text: path(keys) }),
      element("tbody", {}, ...rows),
    );
  }

  goTo(n) {
    if (n === null || n === undefined || this.feed.history.get(n) === undefined) return null;
    const button = element("button", { class: "quiet", type: "button", text: `#${n}` });
    button.addEventListener("click", () => this.select(n));
    return button;
  }

  deliveries(event) {
    const { feed } = this;
    const { history } = feed;
    const rows = [];
    for (const [lane, replica] of history.names.entries()) {
      let what;
      if (replica === event.replica) what = element("span", { class: "muted", text: "made it" });
      else {
        const found = (history.deliveries[event.n - history.base] ?? []).find(
          (n) => history.get(n).replica === replica,
        );
        if (found === undefined) {
          const attached = feed.byId.get(replica)?.attached ?? false;
          const text = attached ? "has not got it" : "not watched";
          what = element("span", { class: attached ? "warning" : "muted", text });
        } else {
          const late = moment(history.get(found)) - moment(event);
          what = element("span", {}, `${span(late)} `, this.goTo(found));
        }
      }
      rows.push(
        element(
          "tr",
          { dataset: { lane } },
          element("th", { scope: "row" }, replicaTag(feed, replica)),
          element("td", {}, what),
        ),
      );
    }
    return element("table", { class: "who" }, element("tbody", {}, ...rows));
  }

  eventList(numbers) {
    const { feed } = this;
    const some = numbers.slice(0, 100).map((n) => {
      const event = feed.history.get(n);
      if (event === undefined) return element("li", { class: "note", text: `#${n} (not kept)` });
      const button = element(
        "button",
        { class: "event-link", type: "button" },
        element("span", { class: "muted", text: `#${n}` }),
        element("span", { class: "label", text: title(event, (id) => feed.name(id)) }),
        replicaTag(feed, event.replica),
      );
      button.addEventListener("click", () => this.select(n));
      return element("li", {}, button);
    });
    if (numbers.length > 100) {
      some.push(element("li", { class: "note", text: `… and ${numbers.length - 100} more` }));
    }
    return element("ul", { class: "events" }, ...some);
  }
}

function keys() {
  const rows = [
    ["← →", "event by event"],
    ["↑ ↓", "replica by replica"],
    ["+ −", "zoom"],
    ["F", "follow what happens"],
    ["?", "all keys"],
  ];
  const list = element("dl", { class: "keys" });
  for (const [key, text] of rows) {
    list.append(element("dt", {}, element("kbd", { text: key })), element("dd", { text }));
  }
  return list;
}

/** The states of all replicas at one moment, each asked for when it is opened. */
export class Moment {
  constructor(pane, feed) {
    this.pane = pane;
    this.feed = feed;
    this.n = null;
    this.open = new Set();
    this.trees = new Map();
    this.timer = null;
    this.visible = false;
  }

  /** Show the moment after event `n`; `null` is now. */
  show(n) {
    const again = n === null && this.n === null;
    this.n = n;
    if (!this.visible || (again && this.timer !== null)) return;
    clearTimeout(this.timer);
    // Who scrubs asks for the moment where they stop; who follows, twice a second.
    this.timer = setTimeout(() => this.draw(), again ? 500 : 90);
  }

  draw() {
    clearTimeout(this.timer);
    this.timer = null;
    const { feed, pane } = this;
    const { history } = feed;
    const n = this.n ?? history.end - 1;
    const heading = element("p", { class: "note" }, "What each replica knew ");
    heading.append(
      this.n === null ? "most lately." : `when #${n} happened. This only looks; nothing changes.`,
    );
    const boxes = history.names.map((replica, lane) => {
      const last = newestRecord(history, lane, n);
      const when = last === undefined ? "before the first" : `after #${last.n}`;
      const body = element("div", { class: "body" });
      const box = element(
        "details",
        { class: "section", open: this.open.has(replica), dataset: { replica } },
        element(
          "summary",
          {},
          replicaTag(feed, replica),
          element("span", { class: "muted aside", text: when }),
        ),
        body,
      );
      box.addEventListener("toggle", () => {
        if (box.open) this.open.add(replica);
        else this.open.delete(replica);
        if (box.open) this.fill(body, replica, last);
      });
      return box;
    });
    pane.replaceChildren(heading, ...boxes);
  }

  fill(body, replica, last) {
    if (!this.feed.byId.get(replica)?.attached) {
      body.replaceChildren(
        element("p", { class: "note", text: "Its state is not known: its program has no DevTools." }),
      );
      return;
    }
    stateAt(this.feed, replica, last).then(
      (value) => {
        let tree = this.trees.get(replica);
        if (tree === undefined) {
          tree = new Tree({ depth: 1, label: `state of ${this.feed.name(replica)}` });
          this.trees.set(replica, tree);
        }
        tree.show(value);
        body.replaceChildren(tree.element);
      },
      (error) => {
        body.replaceChildren(element("p", { class: "note error", text: error.message }));
      },
    );
  }
}

/** Return the newest act or delivery of a line up to event `n` that its store has on record. */
export function newestRecord(history, lane, n) {
  const line = history.lines[lane];
  for (let index = line.length - 1; index >= 0; index -= 1) {
    const event = history.get(line[index]);
    if (event.n <= n && event.number !== null && event.number !== undefined) return event;
  }
  return undefined;
}

/** Ask for the state of a replica after one of its events, or before all of them. */
export async function stateAt(feed, replica, event) {
  const value =
    event === undefined
      ? await feed.request("state", { replica, number: -1 })
      : await feed.request("state", { replica, n: event.n, number: event.number });
  return value.state;
}

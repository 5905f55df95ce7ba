// Between the feed and the Redux DevTools extension: one of its connections a replica.
//
// The extension wants a whole state with every action, and a state costs the program something. So
// each replica's records go one at a time, some a second at most, and of those that are too many
// only the newest are sent.

import { newestRecord, replicaTag, stateAt } from "./detail.js";
import { byId, element } from "./element.js";
import { Feed } from "./feed.js";
import { shell } from "./shell.js";
import { preview } from "./tree.js";

const MOST = 100; // records sent of those that wait
const PAUSE = 50; // milliseconds between two states of one replica
const QUIET = 150; // milliseconds without events after which what was there before has come
const FEATURES = {
  jump: true,
  dispatch: true,
  export: true,
  pause: false,
  lock: false,
  persist: false,
  import: false,
  skip: false,
  reorder: false,
  test: false,
};

const feed = new Feed();
shell(feed);
const bridges = new Map();
const extension = window.__REDUX_DEVTOOLS_EXTENSION__;

/** One replica in the extension. */
class Bridge {
  constructor(replica) {
    this.replica = replica.id;
    this.next = null; // the number of the event after those sent; null before the first
    this.sent = 0;
    this.looking = "";
    this.busy = false;
    this.connection = extension.connect({
      name: replica.name,
      instanceId: replica.id,
      features: FEATURES,
    });
    this.connection.subscribe((message) => this.told(message));
  }

  /** The records not sent yet. */
  waiting() {
    const line = feed.history.lines[feed.history.lane(this.replica)];
    const found = [];
    for (let index = line.length - 1; index >= 0; index -= 1) {
      const event = feed.history.get(line[index]);
      if (this.next !== null && event.n < this.next) break;
      if (event.number !== null && event.number !== undefined) found.push(event);
    }
    return found.reverse();
  }

  /** Send what waits, one after the other. */
  async pump() {
    if (this.busy) return;
    this.busy = true;
    try {
      if (this.next === null) await this.begin();
      for (let waiting = this.waiting(); waiting.length > 0; waiting = this.waiting()) {
        await this.send(waiting.length > 2 * MOST ? waiting.at(-MOST) : waiting[0]);
        draw();
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    } catch {
      // The connection went; what waits is sent when it is there again.
    }
    this.busy = false;
    draw();
  }

  async begin() {
    const { history } = feed;
    const all = this.waiting();
    const first = all[Math.max(0, all.length - MOST)];
    const next = first?.n ?? history.end;
    const before = first === undefined ? undefined : newestRecord(history, history.lane(this.replica), first.n - 1);
    this.connection.init(await stateAt(feed, this.replica, before));
    this.next = next;
  }

  async send(event) {
    const [state, detail] = await Promise.all([
      stateAt(feed, this.replica, event).catch(forgotten),
      feed.request("detail", { n: event.n }).catch(forgotten),
    ]);
    const action = { type: event.action || event.label, "@crdtstore": about(event) };
    if (detail?.payload !== null && detail?.payload !== undefined) action.payload = detail.payload;
    // In this form the extension keeps the time.
    this.connection.send({ type: "PERFORM_ACTION", action, timestamp: event.time || event.at }, state);
    this.next = event.n + 1;
    this.sent += 1;
  }

  /** The extension said something. */
  told(message) {
    if (message.type === "ACTION") {
      const text = typeof message.payload === "string" ? message.payload : JSON.stringify(message.payload);
      feed.request("dispatch", { replica: this.replica, text }).then(
        () => say(`${feed.name(this.replica)} dispatched ${text}`),
        (error) => say(`${feed.name(this.replica)}: ${error.message}`, true),
      );
      return;
    }
    if (message.type !== "DISPATCH") return;
    const kind = message.payload?.type ?? "";
    if (kind === "JUMP_TO_ACTION" || kind === "JUMP_TO_STATE") {
      this.looking = message.state ?? "";
      draw();
    } else {
      say(`${kind || "That"} cannot be done to a history that is shared.`, true);
    }
  }
}

/** What is no longer kept by the program is sent without. */
function forgotten(error) {
  if (feed.status !== "open") throw error;
  return null;
}

function about(event) {
  const facts = { kind: event.kind, replica: feed.name(event.replica), event: event.n };
  if (event.peer) facts.from = feed.name(event.peer);
  const rivals = feed.history.rivals(event.n);
  if (rivals.length > 0) facts.conflicts = rivals;
  return facts;
}

function say(text, isError = false) {
  byId("said").textContent = text;
  byId("said").classList.toggle("error", isError);
}

function draw() {
  const rows = [...bridges.values()].map((bridge) =>
    element(
      "tr",
      { dataset: { replica: bridge.replica } },
      element("td", {}, replicaTag(feed, bridge.replica)),
      element("td", { class: "number", text: String(bridge.sent) }),
      element("td", { class: "number", text: String(bridge.next === null ? 0 : bridge.waiting().length) }),
      element("td", {}, element("code", { text: bridge.looking ? look(bridge.looking) : "now" })),
    ),
  );
  byId("connections").replaceChildren(...rows);
}

function look(text) {
  try {
    return preview(JSON.parse(text), 80);
  } catch {
    return String(text).slice(0, 80);
  }
}

let timer = null;
let since = null; // when events began to come that a new replica waits for

function pumpAll() {
  clearTimeout(timer);
  const fresh = [...bridges.values()].some((bridge) => bridge.next === null);
  since ??= performance.now();
  const wait = fresh && performance.now() - since < 10 * QUIET ? QUIET : 0;
  timer = setTimeout(() => {
    since = null;
    for (const bridge of bridges.values()) bridge.pump();
  }, wait);
}

if (extension === undefined) {
  byId("extension").classList.add("missing");
  byId("extension-title").textContent = "The extension is not installed in this browser";
  byId("extension-text").textContent =
    "Install “Redux DevTools” from your browser’s shop of extensions and load this page again. " +
    "If it is installed, allow it on this page’s address.";
} else {
  byId("extension").classList.add("ready");
  byId("extension-title").textContent = "Connected to the extension";
  byId("extension-text").textContent =
    "Open the browser’s developer tools and choose the Redux tab; its menu lists the replicas.";
  byId("connected").hidden = false;
  feed.addEventListener("replicas", () => {
    for (const replica of feed.replicas) {
      if (replica.attached && !bridges.has(replica.id)) bridges.set(replica.id, new Bridge(replica));
    }
    draw();
    pumpAll();
  });
  feed.addEventListener("events", pumpAll);
  feed.addEventListener("amended", pumpAll);
}

feed.start();

// The connection of a page to the tools: what came is kept, what is asked is answered, and a
// connection that broke is made again, asking only for what was missed.

import { History } from "./history.js";

const FIRST_DELAY = 250; // milliseconds
const LONGEST_DELAY = 8000;
const PATIENCE = 15_000; // how long an answer may take
const SILENCE = 1500; // after which a history that was asked for is known to be no more there

/**
 * The feed of the tools. Dispatches "status" (of the connection), "replicas", "events" (more came)
 * and "amended" (earlier ones changed, or all were replaced).
 */
export class Feed extends EventTarget {
  constructor(url = feedUrl()) {
    super();
    this.url = url;
    this.history = new History();
    this.replicas = [];
    this.byId = new Map();
    this.hello = null;
    this.status = "connecting"; // or "open", "lost"
    this.socket = null;
    this.delay = FIRST_DELAY;
    this.resuming = false; // whether it is not sure yet that the history is still the same
    this.ids = 0;
    this.waiting = new Map();
    this.timer = null;
    this.asked = -1;
  }

  /** Connect, and again whenever the connection is lost. */
  start() {
    clearTimeout(this.timer);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.asked = -1;
    this.resuming = this.history.events.length > 0;
    socket.addEventListener("open", () => {
      this.delay = FIRST_DELAY;
      // The newest known event is asked for again, to see whether it is still the same history.
      if (this.resuming) this.since(this.history.end - 1);
    });
    socket.addEventListener("message", (message) => this.take(message.data));
    socket.addEventListener("close", () => this.lost(socket));
  }

  since(n) {
    if (this.asked === n) return;
    this.asked = n;
    this.send({ type: "since", n });
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Ask the tools; resolves to the value of the response, rejects with what went wrong. */
  request(type, fields = {}) {
    return new Promise((resolve, reject) => {
      if (this.socket?.readyState !== WebSocket.OPEN) {
        reject(new Error("not connected"));
        return;
      }
      this.ids += 1;
      const id = this.ids;
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Error("no answer came"));
      }, PATIENCE);
      this.waiting.set(id, { resolve, reject, timer });
      this.send({ ...fields, type, id });
    });
  }

  /** Return the name of a replica, or the start of its id. */
  name(replica) {
    return this.byId.get(replica)?.name || replica.slice(0, 8) || "unknown";
  }

  lost(socket) {
    if (socket !== this.socket) return;
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new Error("the connection was lost"));
    }
    this.waiting.clear();
    this.become("lost");
    this.timer = setTimeout(() => this.start(), this.delay * (0.75 + Math.random() / 2));
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY);
  }

  become(status) {
    if (this.status === status) return;
    this.status = status;
    this.dispatchEvent(new Event("status"));
  }

  take(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    switch (message.type) {
      case "hello":
        this.hello = message;
        this.become("open");
        // The same history has the event that was asked for; a new, shorter one has not.
        if (this.resuming) setTimeout((socket) => this.begin(socket), SILENCE, this.socket);
        this.dispatchEvent(new Event("hello"));
        break;
      case "replicas":
        this.replicas = message.replicas;
        this.byId = new Map(message.replicas.map((replica) => [replica.id, replica]));
        for (const replica of message.replicas) {
          this.history.lane(replica.id);
          if (Number.isInteger(replica.colour)) this.history.colours.set(replica.id, replica.colour);
        }
        this.dispatchEvent(new Event("replicas"));
        break;
      case "events":
        this.takeEvents(message.first, message.events);
        break;
      case "amended":
        for (const event of message.events) this.history.replace(event);
        this.dispatchEvent(new Event("amended"));
        break;
      case "response":
        this.answer(message);
        break;
    }
  }

  takeEvents(first, events) {
    const { history } = this;
    const other = this.resuming && isOther(history, first, events);
    this.resuming = false;
    if (other) {
      this.forget();
      if (first > 0) {
        this.since(0);
        return;
      }
    }
    const { version } = history;
    if (!history.add(first, events)) {
      if (this.asked !== history.end) {
        this.since(history.end);
        return;
      }
      // What was asked for is not kept there any more: it begins with what came.
      this.forget();
      history.add(first, events);
    }
    this.asked = -1;
    this.dispatchEvent(new Event(version === history.version ? "events" : "amended"));
  }

  /** Nothing came of what is known: begin anew. */
  begin(socket) {
    if (socket !== this.socket || !this.resuming) return;
    this.resuming = false;
    this.forget();
    this.since(0);
  }

  /** Begin with no events; the replicas stay. */
  forget() {
    this.history.clear();
    for (const replica of this.replicas) this.history.lane(replica.id);
    this.dispatchEvent(new Event("amended"));
  }

  answer(message) {
    const request = this.waiting.get(message.id);
    if (request === undefined) return;
    this.waiting.delete(message.id);
    clearTimeout(request.timer);
    if (message.ok) request.resolve(message.value);
    else request.reject(new Error(message.error || "refused"));
  }
}

/** Whether what came after a reconnect is not the history that was known, but another one. */
function isOther(history, first, events) {
  for (const [index, event] of events.entries()) {
    const known = history.get(first + index);
    if (known === undefined) continue;
    return ["kind", "replica", "time", "action"].some((key) => known[key] !== event[key]);
  }
  return false;
}

function feedUrl() {
  const url = new URL("feed", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}

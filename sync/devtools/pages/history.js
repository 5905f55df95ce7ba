// The events of all replicas, and which of them was causally before which.
//
// The events of one replica are a line: each is after the one before it. So the causal past of an
// event is a vector with one number a line, how many events from its start are in the past, and the
// past of an event is the maximum of the pasts of its causes. With the vectors, "was a before b?" is
// one comparison, and the border between past, concurrent and future of an event is one binary
// search a line. The vectors are computed when somebody asks, and only once.
//
// Causes have lower numbers, but for those that came to light later. Once there is one of these, the
// numbers are no causal order any more, and everything is sorted into one before it is computed.

/** How many events are kept; when there are a fifth more, the oldest go. */
export const LIMIT = 100_000;

export class History {
  constructor(limit = LIMIT) {
    this.limit = limit;
    this.colours = new Map(); // replica -> the number of its colour, which outlives its line
    this.clear();
  }

  /** Forget everything. */
  clear() {
    this.base = 0; // the number of the oldest event here
    this.events = [];
    this.lanes = new Map(); // replica -> the number of its line
    this.names = []; // line -> replica
    this.lines = []; // line -> the numbers of its events, each after its causes
    this.deliveries = []; // event -> the deliveries that brought it, or undefined
    this.places = []; // event -> its index on its line
    this.tangled = false; // whether some event has a cause with a higher number
    this.stride = 8;
    this.vectors = new Int32Array(0);
    this.known = 0; // how many events have their vector
    this.later = new Map(); // event -> the conflicts that were told with others
    this.contests = 0; // grows when an earlier event turns out to be in conflict
    this.slices = new Set();
    this.version = (this.version ?? 0) + 1; // changes whenever earlier events do
    this.epoch = (this.epoch ?? 0) + 1; // changes when some are no more there
  }

  /** One more than the number of the newest event. */
  get end() {
    return this.base + this.events.length;
  }

  /** Return the event numbered `n`, or `undefined`. */
  get(n) {
    return this.events[n - this.base];
  }

  /** Return the line of a replica, a new one if it has none yet. */
  lane(replica) {
    let lane = this.lanes.get(replica);
    if (lane === undefined) {
      lane = this.names.length;
      this.lanes.set(replica, lane);
      this.names.push(replica);
      this.lines.push([]);
      if (this.names.length > this.stride) {
        this.stride *= 2;
        this.vectors = new Int32Array(0);
        this.known = 0;
      }
    }
    return lane;
  }

  /** Return the number of the colour of a line: the one that the server gave its replica. */
  colour(lane) {
    return this.colours.get(this.names[lane]) ?? lane;
  }

  /**
   * Take events numbered from `first` on; those known already replace what is here. Returns `false`
   * if some in between are missing, and then takes none.
   */
  add(first, events) {
    if (this.events.length === 0 && this.base !== first) {
      this.base = first;
      this.version += 1;
      this.epoch += 1;
    }
    if (first > this.end) return false;
    for (const [index, event] of events.entries()) {
      const n = first + index;
      if (n < this.base) continue;
      if (n < this.end) this.replace(event);
      else this.append(event);
    }
    if (this.events.length > this.limit * 1.2) this.shorten();
    return true;
  }

  append(event) {
    this.events.push(event);
    const line = this.lines[this.lane(event.replica)];
    this.places.push(line.length);
    line.push(event.n);
    this.deliveries.push(undefined);
    for (const slice of event.slices ?? []) this.slices.add(slice);
    this.link(event);
  }

  /** Put `event` in the place of the one with its number. */
  replace(event) {
    const index = event.n - this.base;
    const old = this.events[index];
    if (old === undefined) return;
    if (old.replica !== event.replica) {
      this.events[index] = event;
      this.restart(this.events);
      return;
    }
    for (const act of old.acts ?? []) {
      const list = this.deliveries[act - this.base];
      if (list !== undefined) this.deliveries[act - this.base] = list.filter((n) => n !== event.n);
    }
    for (const { with: other } of old.conflicts ?? []) {
      const found = (this.later.get(other) ?? []).filter((one) => one.with !== event.n);
      if (found.length > 0) this.later.set(other, found);
      else this.later.delete(other);
    }
    this.events[index] = event;
    for (const slice of event.slices ?? []) this.slices.add(slice);
    this.link(event);
    this.known = Math.min(this.known, index);
    this.version += 1;
  }

  link(event) {
    if ((event.causes ?? []).some((cause) => cause > event.n)) this.tangled = true;
    for (const act of event.acts ?? []) {
      const index = act - this.base;
      if (index < 0 || act === event.n) continue;
      (this.deliveries[index] ??= []).push(event.n);
    }
    // A conflict is told with one of the two acts; it is one of both.
    for (const { path, with: other } of event.conflicts ?? []) {
      if (other < this.base || other === event.n) continue;
      const found = this.later.get(other) ?? [];
      this.later.set(other, [...found, { path, with: event.n }]);
      this.contests += 1;
    }
  }

  /** Whether an event is in conflict with another. */
  isContested(n) {
    return this.get(n)?.conflicts?.length > 0 || this.later.has(n);
  }

  /** Return the acts that event `n` is in conflict with, ascending. */
  rivals(n) {
    const all = [...(this.get(n)?.conflicts ?? []), ...(this.later.get(n) ?? [])];
    return [...new Set(all.map((one) => one.with))].sort((a, b) => a - b);
  }

  /** Drop the oldest events that are too many. */
  shorten() {
    this.restart(this.events.slice(-this.limit));
  }

  /** Take these events instead of all. */
  restart(events) {
    const { names } = this;
    this.clear();
    this.base = events[0].n;
    for (const name of names) this.lane(name);
    for (const event of events) this.append(event);
  }

  /** Compute the vectors of all events up to `n`. */
  reach(n) {
    const { events, base, stride } = this;
    const wanted = Math.min(n - base + 1, events.length);
    if (this.known >= wanted) return;
    if (this.vectors.length < events.length * stride) {
      const grown = new Int32Array(Math.max(1024, events.length * 2) * stride);
      grown.set(this.vectors.subarray(0, this.known * stride));
      this.vectors = grown;
    }
    if (this.tangled) {
      const order = this.untangle();
      for (const index of order) this.compute(index);
      this.known = events.length;
      return;
    }
    for (let index = this.known; index < wanted; index += 1) this.compute(index);
    this.known = wanted;
  }

  /** Compute the vector of one event; those of its causes are. */
  compute(index) {
    const { base, stride, vectors } = this;
    const event = this.events[index];
    const lane = this.lanes.get(event.replica);
    const place = this.places[index];
    const at = index * stride;
    vectors.fill(0, at, at + stride);
    const join = (cause) => {
      const from = (cause - base) * stride;
      if (cause < base || cause >= this.end || from === at) return;
      for (let other = 0; other < stride; other += 1) {
        if (vectors[from + other] > vectors[at + other]) vectors[at + other] = vectors[from + other];
      }
    };
    if (place > 0) join(this.lines[lane][place - 1]);
    for (const cause of event.causes ?? []) join(cause);
    for (const act of event.acts ?? []) join(act);
    vectors[at + lane] = place + 1;
  }

  /** Sort all lines causally; returns the indexes of all events in an order that is. */
  untangle() {
    const { base, events } = this;
    const missing = new Int32Array(events.length);
    const effects = events.map(() => []);
    for (const [index, event] of events.entries()) {
      for (const cause of new Set([...(event.causes ?? []), ...(event.acts ?? [])])) {
        if (cause < base || cause >= this.end || cause === event.n) continue;
        effects[cause - base].push(index);
        missing[index] += 1;
      }
    }
    const order = [];
    const place = (start) => {
      // Depth first, so that events stay near where their numbers have them.
      const ready = [start];
      while (ready.length > 0) {
        const index = ready.pop();
        order.push(index);
        for (const effect of effects[index]) {
          missing[effect] -= 1;
          // Those with higher numbers are come to anyway.
          if (missing[effect] === 0 && effect < start) ready.push(effect);
        }
      }
    };
    const placed = new Uint8Array(events.length);
    for (let index = 0; index < events.length; index += 1) {
      const from = order.length;
      if (missing[index] === 0 && placed[index] === 0) place(index);
      for (let at = from; at < order.length; at += 1) placed[order[at]] = 1;
    }
    // A circle of causes would be an error of who sent it: the rest as it is.
    for (let index = 0; index < events.length; index += 1) if (placed[index] === 0) order.push(index);
    for (const line of this.lines) line.length = 0;
    for (const index of order) {
      const line = this.lines[this.lanes.get(events[index].replica)];
      this.places[index] = line.length;
      line.push(events[index].n);
    }
    return order;
  }

  /** Whether event `a` is in the causal past of event `b`, or is `b`. */
  isBefore(a, b) {
    const made = this.get(a);
    if (made === undefined || this.get(b) === undefined) return false;
    this.reach(Math.max(a, b));
    const column = (b - this.base) * this.stride + this.lanes.get(made.replica);
    return this.vectors[column] > this.places[a - this.base];
  }

  /** Return "self", "past", "future" or "concurrent": what `other` is to event `n`. */
  relation(n, other) {
    if (n === other) return "self";
    if (this.isBefore(other, n)) return "past";
    return this.isBefore(n, other) ? "future" : "concurrent";
  }

  /**
   * Return the causal cone of event `n`: for each line, how many of its events are in the past (`n`
   * among them), and the index on the line of the first one in the future.
   */
  cone(n) {
    this.reach(this.end - 1);
    const { base, stride, vectors } = this;
    const own = this.lanes.get(this.get(n).replica);
    const place = this.places[n - base];
    return this.lines.map((line, lane) => {
      const past = vectors[(n - base) * stride + lane];
      if (lane === own) return { past, future: past };
      const isAfter = (other) => vectors[(other - base) * stride + own] > place;
      return { past, future: bisect(line, (other) => !isAfter(other)) };
    });
  }

  /** Return the acts concurrent with event `n`, at most `limit`, ascending. */
  concurrent(n, limit = 200) {
    const found = [];
    for (const [lane, { past, future }] of this.cone(n).entries()) {
      const line = this.lines[lane];
      for (let index = past, taken = 0; index < future && taken < limit; index += 1) {
        if (this.get(line[index]).kind !== "act") continue;
        found.push(line[index]);
        taken += 1;
      }
    }
    return found.sort((a, b) => a - b).slice(0, limit);
  }

  /** Return how many acts are in the past of event `n`, concurrent with it, and in its future. */
  sums(n) {
    const sums = { past: 0, concurrent: 0, future: 0 };
    for (const [lane, { past, future }] of this.cone(n).entries()) {
      for (const [index, other] of this.lines[lane].entries()) {
        if (other === n || this.get(other).kind !== "act") continue;
        sums[index < past ? "past" : index < future ? "concurrent" : "future"] += 1;
      }
    }
    return sums;
  }
}

/** Return how many items from the start of `list` fulfil `test`, which no later one does. */
export function bisect(list, test) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(list[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the number of the event of a line that is nearest to `n`. */
export function nearestOnLine(numbers, n) {
  const index = bisect(numbers, (other) => other < n);
  if (index >= numbers.length) return numbers[numbers.length - 1];
  if (index > 0 && n - numbers[index - 1] < numbers[index] - n) return numbers[index - 1];
  return numbers[index];
}

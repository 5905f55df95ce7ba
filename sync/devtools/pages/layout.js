// Where events are on the x axis, which are shown, and which are in a window of it.
//
// Shown events have ranks 0, 1, … in causal order. By order, x is the rank; by time, x is the
// moment, and as clocks differ moments do not ascend with rank: the greatest so far and the least
// from here on do, so two binary searches find the ranks that a window can hold. An arrow reaches
// from an act to its delivery; those that begin and end outside a window and cross it are found in
// the block of ranks that they cross whole.

import { bisect } from "./history.js";

const BLOCK = 64;
const MOST_CROSSING = 160; // arrows kept a block

export class Layout {
  constructor(history) {
    this.history = history;
    this.mode = "order"; // or "time"
    this.text = "";
    this.slices = null; // a set of names, or null for all
    this.hidden = new Set(); // replicas
    this.name = (replica) => replica;
    this.rebuild();
  }

  /** Place all events again: the filter, or earlier events, changed. */
  rebuild() {
    const { history } = this;
    this.rows = []; // row -> line of a replica that is shown
    this.rowOf = []; // line -> row, or -1
    this.shown = []; // rank -> number of the event
    this.places = []; // index of the event -> rank, or the middle between two if it is not shown
    this.times = []; // rank -> moment
    this.greatest = []; // rank -> the greatest moment up to here
    this.least = []; // rank -> the least moment from here on
    this.arrowsUpTo = []; // rank -> how many arrows end before
    this.crossing = []; // block -> flat pairs of ranks of the arrows that cross it whole
    this.breaks = []; // numbers of the events about links and presence, shown or not
    this.base = history.base;
    this.version = history.version;
    this.epoch = history.epoch;
    this.origin = history.events.length > 0 ? moment(history.events[0]) : 0;
    this.extend();
  }

  /** Place the events that came since. */
  extend() {
    const { history } = this;
    if (this.version !== history.version) {
      this.rebuild();
      return;
    }
    for (let lane = this.rowOf.length; lane < history.names.length; lane += 1) {
      const shown = !this.hidden.has(history.names[lane]);
      this.rowOf.push(shown ? this.rows.length : -1);
      if (shown) this.rows.push(lane);
    }
    for (let index = this.places.length; index < history.events.length; index += 1) {
      const event = history.events[index];
      if (event.kind !== "act" && event.kind !== "deliver") this.breaks.push(event.n);
      if (!this.shows(event)) {
        this.places.push(this.shown.length - 0.5);
        continue;
      }
      const rank = this.shown.length;
      const time = moment(event) - this.origin;
      this.shown.push(event.n);
      this.places.push(rank);
      this.times.push(time);
      this.greatest.push(rank > 0 ? Math.max(this.greatest[rank - 1], time) : time);
      this.least.push(time);
      for (let at = rank - 1; at >= 0 && this.least[at] > time; at -= 1) this.least[at] = time;
      const before = rank > 0 ? this.arrowsUpTo[rank - 1] : 0;
      this.arrowsUpTo.push(before + this.link(event, rank));
    }
  }

  /** Note the arrows that end at a shown event; returns how many there are. */
  link(event, rank) {
    let arrows = 0;
    for (const act of event.acts ?? []) {
      const from = this.rank(act);
      if (from < 0) continue;
      arrows += 1;
      const last = Math.floor(rank / BLOCK);
      for (let block = Math.floor(from / BLOCK) + 1; block < last; block += 1) {
        const pairs = (this.crossing[block] ??= []);
        if (pairs.length < 2 * MOST_CROSSING) pairs.push(from, rank);
      }
    }
    return arrows;
  }

  /** Whether the filter lets `event` through. */
  shows(event) {
    const { history } = this;
    if (this.rowOf[history.lanes.get(event.replica)] < 0) return false;
    const isWork = event.kind === "act" || event.kind === "deliver";
    if (this.slices !== null && isWork && !event.slices.some((name) => this.slices.has(name))) {
      return false;
    }
    if (this.text === "") return true;
    if (this.says(event)) return true;
    return (event.acts ?? []).some((act) => {
      const made = history.get(act);
      return made !== undefined && this.says(made);
    });
  }

  says(event) {
    const text = `${event.kind} ${event.label} ${event.action} ${this.name(event.replica)}`;
    return text.toLowerCase().includes(this.text);
  }

  /** Return the rank of an event, or -1 if it is not shown. */
  rank(n) {
    const place = this.places[n - this.base];
    return Number.isInteger(place) ? place : -1;
  }

  /** Return the rank of the shown event that is nearest to `n`, or -1 if none is shown. */
  nearest(n) {
    if (this.shown.length === 0) return -1;
    const rank = bisect(this.shown, (other) => other < n);
    return Math.min(rank, this.shown.length - 1);
  }

  /** Return where event `n` is on the axis: a rank, or milliseconds since the first. */
  unit(n) {
    const index = n - this.base;
    if (this.mode === "order") return this.places[index];
    return moment(this.history.events[index]) - this.origin;
  }

  /** Return where the event of a rank is on the axis. */
  unitOfRank(rank) {
    return this.mode === "order" ? rank : this.times[rank];
  }

  /** Return the ends of the axis. */
  extent() {
    const last = this.shown.length - 1;
    if (last < 0) return [0, 1];
    if (this.mode === "order") return [0, Math.max(1, last)];
    return [this.least[0], Math.max(this.least[0] + 1, this.greatest[last])];
  }

  /** Return the ranks [first, end) among which all events between two places of the axis are. */
  window(low, high) {
    if (this.mode === "order") {
      const end = this.shown.length;
      return [clamp(Math.ceil(low), 0, end), clamp(Math.floor(high) + 1, 0, end)];
    }
    return [
      bisect(this.greatest, (time) => time < low),
      bisect(this.least, (time) => time <= high),
    ];
  }

  /** Return about how many arrows touch the ranks [first, end). */
  arrowCount(first, end) {
    if (end <= first) return 0;
    const before = first > 0 ? this.arrowsUpTo[first - 1] : 0;
    const crossing = this.crossing[Math.floor(first / BLOCK)]?.length ?? 0;
    return this.arrowsUpTo[end - 1] - before + crossing / 2;
  }

  /** Call `draw(from, to)` with the ranks of the arrows that can touch the ranks [first, end). */
  arrows(first, end, draw) {
    const { history, base } = this;
    const start = Math.floor(first / BLOCK) * BLOCK;
    const stop = Math.min(this.shown.length, Math.ceil(end / BLOCK) * BLOCK);
    const crossing = this.crossing[start / BLOCK] ?? [];
    for (let index = 0; index < crossing.length; index += 2) {
      if (crossing[index + 1] >= stop) draw(crossing[index], crossing[index + 1]);
    }
    for (let rank = start; rank < stop; rank += 1) {
      const event = history.events[this.shown[rank] - base];
      for (const act of event.acts ?? []) {
        const from = this.rank(act);
        if (from >= 0) draw(from, rank);
      }
      for (const delivery of history.deliveries[event.n - base] ?? []) {
        const to = this.rank(delivery);
        if (to >= stop) draw(rank, to);
      }
    }
  }
}

/** Return the moment of an event: when its replica saw it. */
export function moment(event) {
  return event.time || event.at || 0;
}

/** Return `value`, or the bound that it is beyond. */
export function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}

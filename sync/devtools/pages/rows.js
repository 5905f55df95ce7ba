// A long list of rows of equal height, of which only those in sight are elements.

import { element } from "./element.js";

const AROUND = 8; // rows made beyond what is seen

/**
 * Rows inside the scrolling element `scroller`: `render(index)` makes one, which must be `height`
 * pixels high. Rows made are kept until `refresh` is called or they are far out of sight.
 */
export class Rows {
  constructor(scroller, { height, render, role = "rowgroup" }) {
    this.scroller = scroller;
    this.height = height;
    this.render = render;
    this.count = 0;
    this.made = new Map();
    this.body = element("div", { class: "rows", role });
    scroller.append(this.body);
    this.waiting = false;
    scroller.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.later()).observe(scroller);
  }

  /** Whether the last row is in sight. */
  get atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    return scrollTop + clientHeight >= scrollHeight - this.height;
  }

  /** Make all rows in sight again; there are `count` now. */
  refresh(count = this.count) {
    this.count = count;
    for (const row of this.made.values()) row.remove();
    this.made.clear();
    this.body.style.height = `${count * this.height}px`;
    this.fill();
  }

  /** There are `count` rows now; those before are as they were. */
  extend(count) {
    this.count = count;
    this.body.style.height = `${count * this.height}px`;
    this.fill();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.fill();
    });
  }

  fill() {
    const top = Math.max(0, this.scroller.scrollTop - this.body.offsetTop);
    const first = Math.max(0, Math.floor(top / this.height) - AROUND);
    const seen = Math.ceil(this.scroller.clientHeight / this.height) + 2 * AROUND;
    const end = Math.min(this.count, first + seen);
    for (const [index, row] of this.made) {
      if (index >= first && index < end) continue;
      row.remove();
      this.made.delete(index);
    }
    for (let index = first; index < end; index += 1) {
      if (this.made.has(index)) continue;
      const row = this.render(index);
      row.style.transform = `translateY(${index * this.height}px)`;
      this.made.set(index, row);
      this.body.append(row);
    }
  }

  /** Scroll as little as needed for a row to be seen. */
  reveal(index) {
    const { scroller, height } = this;
    const head = this.body.offsetTop;
    const top = index * height;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + height + head > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + height + head - scroller.clientHeight;
    }
    this.fill();
  }

  /** Scroll to the last row. */
  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.fill();
  }
}

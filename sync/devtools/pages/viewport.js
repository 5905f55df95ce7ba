// Which part of the axis is seen, how large, and whether it stays at its right end.

import { clamp } from "./layout.js";

const MARGIN = 56; // pixels that stay free at both ends
const LARGEST = { order: 160, time: 4 }; // pixels a unit
const FIRST_SCALE = 44;

export class Viewport {
  constructor(layout) {
    this.layout = layout;
    this.width = 1;
    this.following = true;
    this.scale = FIRST_SCALE;
    this.offset = 0; // the place of the axis at the left edge
  }

  /** Return the pixel of a place of the axis. */
  x(unit) {
    return (unit - this.offset) * this.scale;
  }

  /** Return the place of the axis at a pixel. */
  unit(x) {
    return x / this.scale + this.offset;
  }

  /** The scale at which everything is seen. */
  get smallest() {
    const [low, high] = this.layout.extent();
    const fit = Math.max(1, this.width - 2 * MARGIN) / (high - low);
    return Math.min(fit, this.layout.mode === "order" ? FIRST_SCALE : LARGEST.time);
  }

  resize(width) {
    this.width = Math.max(1, width);
    this.settle();
  }

  /** Take the layout's other axis, with `n` (or the right end) where it was. */
  turn(mode, n) {
    const { layout } = this;
    const share = this.smallest / this.scale;
    const x = n === null ? null : this.x(layout.unit(n));
    layout.mode = mode;
    this.scale = this.smallest / share;
    if (x !== null) this.offset = layout.unit(n) - clamp(x, 0, this.width) / this.scale;
    else this.following = true;
    this.settle();
  }

  /** Put the view back within its bounds, or at the right end if it follows. */
  settle() {
    const [low, high] = this.layout.extent();
    this.scale = clamp(this.scale, this.smallest, LARGEST[this.layout.mode]);
    const margin = MARGIN / this.scale;
    const first = low - margin;
    const last = Math.max(first, high + margin - this.width / this.scale);
    this.offset = this.following ? last : clamp(this.offset, first, last);
    return this.offset >= last - 0.5 / this.scale;
  }

  /** Move by pixels; the view follows again if it comes to the right end. */
  pan(pixels) {
    this.offset += pixels / this.scale;
    this.following = false;
    this.following = this.settle();
  }

  /** Zoom by a factor around a pixel. */
  zoom(factor, x = this.width / 2) {
    const unit = this.unit(x);
    this.scale = clamp(this.scale * factor, this.smallest, LARGEST[this.layout.mode]);
    this.offset = unit - x / this.scale;
    this.following = this.following && unit >= this.layout.extent()[1];
    this.following = this.settle();
  }

  /** Show everything. */
  fit() {
    this.scale = this.smallest;
    this.following = true;
    this.settle();
  }

  /** Move as little as needed for a place to be seen. */
  reveal(unit) {
    const x = this.x(unit);
    const margin = Math.min(MARGIN, this.width / 4);
    const [low, high] = this.layout.extent();
    if (x < margin) this.offset = unit - margin / this.scale;
    else if (x > this.width - margin) this.offset = unit - (this.width - margin) / this.scale;
    else return;
    this.following = false;
    this.settle();
    if (unit >= high && low !== high) this.following = this.settle();
  }

  /** Put a place of the axis in the middle. */
  centre(unit) {
    this.offset = unit - this.width / 2 / this.scale;
    this.following = false;
    this.settle();
  }
}

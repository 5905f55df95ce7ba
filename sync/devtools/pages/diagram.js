// The diagram as one works with it: the canvas, the pointer, the lines' names at its left, and the
// small picture of the whole below.

import { byId } from "./element.js";
import { clock, title } from "./format.js";
import { clamp, moment } from "./layout.js";
import { markAt } from "./marks.js";
import { paint, paintOverview } from "./painter.js";
import { RULER, rowY } from "./pen.js";
import { COLOURS, colour } from "./shell.js";
import { spans } from "./spans.js";
import { Viewport } from "./viewport.js";

const LOWEST = 58; // pixels a row, at least
const HIGHEST = 168;
export const INSET = 7; // half the slider's thumb: where its track really begins

/**
 * The canvas of a layout. Dispatches "pick" (`n`: an event was clicked, or `null` for none), "view"
 * (what is seen changed) and calls itself to draw at most once a frame.
 */
export class Diagram extends EventTarget {
  constructor(feed, layout) {
    super();
    this.feed = feed;
    this.layout = layout;
    this.view = new Viewport(layout);
    this.canvas = byId("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.overview = byId("overview");
    this.tooltip = byId("tooltip");
    this.selected = null;
    this.hovered = null;
    this.scroll = 0;
    this.width = 0;
    this.height = 0;
    this.rowHeight = LOWEST;
    this.frames = []; // milliseconds that the last frames took to draw
    this.waiting = false;
    this.coneOf = null;
    this.overviewAt = 0;
    this.overviewTimer = null;
    this.recolour();
    this.changed();
    document.addEventListener("theme", () => {
      this.recolour();
      this.draw();
      this.drawOverview();
    });
    const watcher = new ResizeObserver(() => this.resize());
    watcher.observe(byId("field"));
    watcher.observe(this.overview.parentElement);
    this.listen();
  }

  /** Take the colours of the theme. */
  recolour() {
    const names = ["ground", "raised", "edge", "text", "muted", "faint", "accent", "conflict", "cut"];
    names.push("past", "future", "concurrent", "past-shade", "future-shade", "cut-shade");
    const found = Object.fromEntries(names.map((name) => [name, colour(`--${name}`)]));
    found.pastShade = found["past-shade"];
    found.futureShade = found["future-shade"];
    found.lanes = Array.from({ length: COLOURS }, (_, index) => colour(`--replica-${index}`));
    found.hatch = hatch(this.context, found["cut-shade"], found.cut);
    this.colours = found;
    const mono = getComputedStyle(document.documentElement).getPropertyValue("--mono");
    const label = `11px ${mono}`;
    this.context.font = label;
    const character = this.context.measureText("mmmmmmmmmm").width / 10;
    this.fonts = { label, small: `11px ${getComputedStyle(document.body).fontFamily}`, character };
  }

  /** What is shown, or where, changed. */
  changed() {
    this.spans = spans(this.layout);
    this.coneOf = null;
    this.fitRows();
    this.view.settle();
    this.draw();
    this.drawOverview();
  }

  /** More events came at the end. */
  extended(breaks) {
    if (breaks) this.spans = spans(this.layout);
    this.coneOf = null;
    this.fitRows();
    this.view.settle();
    this.draw();
    this.drawOverview();
  }

  resize() {
    const box = byId("field").getBoundingClientRect();
    if (box.width < 1 || box.height < 1) return;
    this.width = Math.floor(box.width);
    this.height = Math.floor(box.height);
    size(this.canvas, this.context, this.width, this.height);
    const track = this.overview.parentElement.getBoundingClientRect();
    this.track = [Math.floor(track.width), Math.floor(track.height)];
    this.view.resize(this.width);
    this.fitRows();
    this.drawNow();
    this.drawOverview(true);
  }

  /** Share the height among the rows; what does not fit is scrolled to. */
  fitRows() {
    const rows = Math.max(1, this.layout.rows.length);
    this.rowHeight = clamp(Math.floor((this.height - RULER) / rows), LOWEST, HIGHEST);
    this.scrollTo(this.scroll);
  }

  scrollTo(scroll) {
    const over = this.layout.rows.length * this.rowHeight - (this.height - RULER);
    this.scroll = clamp(scroll, -Math.max(0, over), 0);
  }

  /** The colours, those of the lines in their order. */
  get painted() {
    const { colours, layout: { history } } = this;
    const lanes = history.names.map((_, lane) => colours.lanes[history.colour(lane) % COLOURS]);
    return { ...colours, lanes: lanes.length > 0 ? lanes : colours.lanes };
  }

  get scene() {
    const { layout, view, width, height, rowHeight, scroll, fonts, selected } = this;
    const colours = this.painted;
    const alive = (n) => (n !== null && layout.history.get(n) !== undefined ? n : null);
    const focus = alive(this.hovered) ?? alive(selected);
    return {
      layout, view, width, height, rowHeight, scroll, colours, fonts,
      spans: this.spans, selected: alive(selected), focus, cone: this.cone(focus),
    };
  }

  cone(n) {
    if (n === null) return null;
    if (this.coneOf !== n) {
      this.coneNow = this.layout.history.cone(n);
      this.coneOf = n;
    }
    return this.coneNow;
  }

  /** Draw with the next frame. */
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.drawNow();
    });
  }

  drawNow() {
    if (this.width === 0 || byId("diagram").hidden) return;
    const start = performance.now();
    const scene = this.scene;
    this.single = paint(this.context, scene);
    byId("cone-legend").hidden = scene.focus === null;
    this.frames.push(performance.now() - start);
    if (this.frames.length > 600) this.frames.splice(0, 300);
    this.dispatchEvent(new Event("view"));
  }

  /** Draw the small picture of the whole, a few times a second at most. */
  drawOverview(now = false) {
    if (this.track === undefined) return;
    if (!now) {
      const wait = Math.max(0, 200 - (performance.now() - this.overviewAt));
      this.overviewTimer ??= setTimeout(() => this.drawOverview(true), wait);
      return;
    }
    clearTimeout(this.overviewTimer);
    this.overviewTimer = null;
    this.overviewAt = performance.now();
    const [width, height] = this.track;
    const context = this.overview.getContext("2d");
    size(this.overview, context, width, height);
    const { layout, painted } = this;
    paintOverview(context, { layout, width, height, colours: painted, inset: INSET });
  }

  /** Return where the mark of event `n` is on the canvas, in CSS pixels. */
  position(n) {
    const { layout, view } = this;
    const event = layout.history.get(n);
    if (event === undefined || layout.rank(n) < 0) return null;
    const row = layout.rowOf[layout.history.lanes.get(event.replica)];
    return { x: view.x(layout.unit(n)), y: rowY(this, row) };
  }

  /** Select an event and move so that it is seen. */
  select(n) {
    this.selected = n;
    this.hovered = null;
    if (n !== null) {
      this.view.reveal(this.layout.unit(n));
      const at = this.position(n);
      if (at !== null && at.y < RULER + this.rowHeight / 2) {
        this.scrollTo(this.scroll + RULER + this.rowHeight / 2 - at.y);
      } else if (at !== null && at.y > this.height - this.rowHeight / 2) {
        this.scrollTo(this.scroll + this.height - this.rowHeight / 2 - at.y);
      }
    }
    this.draw();
  }

  listen() {
    const { canvas } = this;
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      drag = { x: event.offsetX, y: event.offsetY, moved: false };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (drag === null) {
        this.hover(event);
        return;
      }
      const [dx, dy] = [event.offsetX - drag.x, event.offsetY - drag.y];
      if (!drag.moved && Math.hypot(dx, dy) < 4) return;
      drag = { x: event.offsetX, y: event.offsetY, moved: true };
      canvas.classList.add("dragging");
      this.hide();
      this.view.pan(-dx);
      this.scrollTo(this.scroll + dy);
      this.draw();
    });
    const end = (event) => {
      canvas.classList.remove("dragging");
      const click = drag !== null && !drag.moved && event.type === "pointerup";
      drag = null;
      if (!click) return;
      const n = markAt(this.scene, event.offsetX, event.offsetY);
      this.hide();
      this.dispatchEvent(Object.assign(new Event("pick"), { n }));
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => {
      this.hide();
      this.draw();
    });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    byId("gutter").addEventListener("wheel", (event) => {
      this.scrollTo(this.scroll - event.deltaY);
      this.draw();
    }, { passive: true });
  }

  wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const { view } = this;
    const [offset, scale, focus] = [view.offset, view.scale, this.hovered];
    this.hide();
    if (sideways) view.pan((event.deltaX || event.deltaY) * unit);
    else view.zoom(Math.exp(-event.deltaY * unit * 0.0022), event.offsetX);
    if (offset !== view.offset || scale !== view.scale || focus !== null) this.draw();
  }

  hover(event) {
    const n = markAt(this.scene, event.offsetX, event.offsetY);
    if (n !== null) this.tell(n, event.offsetX, event.offsetY);
    if (n === this.hovered) return;
    this.hovered = n;
    this.canvas.classList.toggle("pointing", n !== null);
    if (n === null) this.tooltip.hidden = true;
    this.draw();
  }

  hide() {
    this.hovered = null;
    this.tooltip.hidden = true;
    this.canvas.classList.remove("pointing");
  }

  /** Say beside the pointer what an event is. */
  tell(n, x, y) {
    const { feed, tooltip } = this;
    const event = this.layout.history.get(n);
    if (tooltip.dataset.n !== String(n) || tooltip.hidden) {
      const by = feed.name(event.replica);
      const from = event.kind === "deliver" && event.peer ? ` from ${feed.name(event.peer)}` : "";
      tooltip.replaceChildren();
      const label = document.createElement("strong");
      label.textContent = title(event, (id) => feed.name(id));
      const line = document.createElement("span");
      const word = event.kind === "deliver" ? "delivered to" : event.kind === "act" ? "by" : "at";
      line.textContent = `#${n} ${word} ${by}${from} · ${clock(moment(event))}`;
      tooltip.append(label, line);
      const rivals = this.layout.history.rivals(n);
      if (rivals.length > 0) {
        const warning = document.createElement("span");
        warning.className = "conflict-word";
        warning.textContent = `in conflict with ${rivals.slice(0, 8).map((one) => `#${one}`).join(", ")}`;
        tooltip.append(warning);
      }
      tooltip.dataset.n = String(n);
      tooltip.hidden = false;
    }
    const left = byId("field").offsetLeft;
    const limit = left + this.width - tooltip.offsetWidth - 8;
    tooltip.style.left = `${Math.max(left + 4, Math.min(left + x + 14, limit))}px`;
    const below = y + 20 + tooltip.offsetHeight < this.height;
    tooltip.style.top = `${below ? y + 18 : y - tooltip.offsetHeight - 14}px`;
  }
}

function size(canvas, context, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}

/** Return a pattern of slanted lines. */
function hatch(context, ground, stroke) {
  const tile = document.createElement("canvas");
  tile.width = 8;
  tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = ground;
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = stroke;
  pen.globalAlpha = 0.28;
  pen.lineWidth = 1.2;
  for (const shift of [-8, 0, 8]) {
    pen.beginPath();
    pen.moveTo(shift - 1, 9);
    pen.lineTo(shift + 9, -1);
    pen.stroke();
  }
  return context.createPattern(tile, "repeat");
}

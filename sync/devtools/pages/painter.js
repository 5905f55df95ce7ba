// Draws the part of the diagram that is seen: the ground, the lines, the axis, and what is on them.

import { clock } from "./format.js";
import { drawArrows, drawBars, drawMarks } from "./marks.js";
import { RULER, halo, line, rowY } from "./pen.js";

const DENSE = 3; // pixels an event; below, marks become bars

/**
 * Draw a scene `{layout, view, width, height, rowHeight, scroll, colours, spans, focus, selected,
 * cone}`. Returns whether single marks were drawn (`true`) or bars.
 */
export function paint(context, scene) {
  const { layout, view, width, height, colours } = scene;
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, width, height);
  const reach = 14 / view.scale;
  const [first, end] = layout.window(view.unit(0) - reach, view.unit(width) + reach);
  const spacing = width / Math.max(1, end - first);
  const single = spacing >= DENSE;

  context.save();
  context.beginPath();
  context.rect(0, RULER, width, height - RULER);
  context.clip();
  for (const band of scene.spans.bands) drawBand(context, scene, band);
  if (scene.cone !== null) drawCone(context, scene);
  drawLines(context, scene);
  drawArrows(context, scene, first, end, single);
  if (single) drawMarks(context, scene, first, end, Math.min(6, Math.max(1.5, spacing * 0.4)));
  else drawBars(context, scene, first, end);
  context.restore();

  drawRuler(context, scene, first, end);
  if (scene.selected !== null) {
    const x = Math.round(view.x(layout.unit(scene.selected))) + 0.5;
    context.strokeStyle = colours.accent;
    context.lineWidth = 1;
    context.globalAlpha = 0.7;
    line(context, x, RULER - 6, x, height);
    context.globalAlpha = 1;
  }
  return single;
}

/** Return the pixels between which a span lies, or `null` if it is not seen. */
function ends(scene, span) {
  const { view, layout, width } = scene;
  const from = span.from === null ? -20 : Math.max(-20, view.x(layout.unit(span.from)));
  const to = span.to === null ? width + 20 : Math.min(width + 20, view.x(layout.unit(span.to)));
  return to <= 0 || from >= width || to <= from ? null : [from, to];
}

function drawBand(context, scene, band) {
  const at = ends(scene, band);
  if (at === null) return;
  const { colours } = scene;
  const [from, to] = at;
  const gap = Math.min(14, scene.rowHeight * 0.22);
  const top = rowY(scene, band.low) + gap;
  const bottom = rowY(scene, band.high) - gap;
  context.fillStyle = colours.hatch;
  context.fillRect(from, top, to - from, bottom - top);
  context.strokeStyle = colours.cut;
  context.lineWidth = 1;
  context.globalAlpha = 0.55;
  context.setLineDash([2, 3]);
  if (band.from !== null && from > -20) line(context, from, top, from, bottom);
  if (band.to !== null && to < scene.width + 20) line(context, to, top, to, bottom);
  context.setLineDash([]);
  context.globalAlpha = 1;
  const seen = Math.min(to, scene.width) - Math.max(from, 0);
  if (seen > 84 && bottom - top > 16) {
    context.font = scene.fonts.small;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const x = Math.max(from, 0) + seen / 2;
    const text = band.pairs > 1 ? "partitioned" : "link cut";
    halo(context, scene, text, x, (top + bottom) / 2, colours.cut);
  }
}

/** Return for each row the pixels where the past ends and where the future begins. */
function borders(scene) {
  const { layout, view, cone } = scene;
  const { history } = layout;
  return layout.rows.map((lane) => {
    const { past, future } = cone[lane];
    const numbers = history.lines[lane];
    const x = (index) => view.x(layout.unit(numbers[index]));
    return {
      past: past > 0 ? x(past - 1) : null,
      future: future < numbers.length ? x(future) : null,
    };
  });
}

function drawCone(context, scene) {
  const { colours, width } = scene;
  const edges = borders(scene);
  const half = scene.rowHeight / 2;
  const shade = (style, side) => {
    context.fillStyle = style;
    for (const [row, edge] of edges.entries()) {
      if (edge[side] === null) continue;
      const x = Math.max(0, Math.min(width, edge[side]));
      const y = rowY(scene, row) - half;
      if (side === "past") context.fillRect(0, y, x, scene.rowHeight);
      else context.fillRect(x, y, width - x, scene.rowHeight);
    }
  };
  shade(colours.pastShade, "past");
  shade(colours.futureShade, "future");
}

function drawLines(context, scene) {
  const { layout, view, colours, width, cone } = scene;
  const edges = cone === null ? null : borders(scene);
  const [low] = layout.extent();
  const begin = Math.max(0, view.x(low) - 30);
  for (const [row, lane] of layout.rows.entries()) {
    const y = Math.round(rowY(scene, row)) + 0.5;
    context.strokeStyle = colours.lanes[lane % colours.lanes.length];
    context.lineWidth = 2;
    if (edges === null) {
      context.globalAlpha = 0.5;
      line(context, begin, y, width, y);
      context.globalAlpha = 1;
      continue;
    }
    const { past, future } = edges[row];
    context.lineWidth = 4;
    if (past !== null && past > 0) {
      context.strokeStyle = colours.past;
      line(context, begin, y, Math.min(past, width), y);
    }
    if (future !== null && future < width) {
      context.strokeStyle = colours.future;
      line(context, Math.max(future, 0), y, width, y);
    }
    const from = Math.max(begin, past ?? begin);
    const to = Math.min(width, future ?? width);
    if (to > from) {
      context.strokeStyle = colours.concurrent;
      context.setLineDash([5, 4]);
      context.lineWidth = 2;
      line(context, from, y, to, y);
      context.setLineDash([]);
    }
  }
  for (const absence of scene.spans.absences) {
    const at = ends(scene, absence);
    if (at === null) continue;
    const [from, to] = at;
    const y = Math.round(rowY(scene, absence.row)) + 0.5;
    context.strokeStyle = colours.ground;
    context.lineWidth = 6;
    line(context, from, y, to, y);
    context.strokeStyle = colours.faint;
    context.lineWidth = 1.5;
    context.setLineDash([3, 6]);
    line(context, from, y, to, y);
    context.setLineDash([]);
    const seen = Math.min(to, width) - Math.max(from, 0);
    if (seen > 60) {
      context.font = scene.fonts.small;
      context.textAlign = "center";
      context.textBaseline = "middle";
      halo(context, scene, "offline", Math.max(from, 0) + seen / 2, y, colours.muted);
    }
  }
}

const STEPS = [1, 2, 5];

/** Return the least of 1, 2, 5, 10, 20, … that is not less than `size`. */
function nice(size) {
  const power = 10 ** Math.floor(Math.log10(Math.max(size, 1e-9)));
  return (STEPS.find((step) => step * power >= size) ?? 10) * power;
}

/** Return a step between moments, in milliseconds, that a clock would be read in. */
function niceSpan(size) {
  const minutes = [1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000];
  const hours = [900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 43_200_000, 86_400_000];
  return size < 1000 ? nice(size) : ([...minutes, ...hours].find((step) => step >= size) ?? nice(size));
}

function drawRuler(context, scene, first, end) {
  const { layout, view, colours, width } = scene;
  context.fillStyle = colours.raised;
  context.fillRect(0, 0, width, RULER);
  context.fillStyle = colours.edge;
  context.fillRect(0, RULER - 1, width, 1);
  context.font = scene.fonts.small;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const tick = (x, text) => {
    context.fillStyle = colours.edge;
    context.fillRect(Math.round(x), RULER - 6, 1, 6);
    context.fillStyle = colours.muted;
    context.fillText(text, x, RULER / 2 - 1);
  };
  if (layout.mode === "order") {
    const step = Math.max(1, nice(90 / view.scale));
    for (let rank = Math.ceil(first / step) * step; rank < end; rank += step) {
      tick(view.x(rank), `#${layout.shown[rank]}`);
    }
    return;
  }
  const step = niceSpan(110 / view.scale);
  const [low, high] = [layout.origin + view.unit(0), layout.origin + view.unit(width)];
  const shift = new Date(low).getTimezoneOffset() * 60_000;
  const begin = Math.ceil((low - shift) / step) * step + shift;
  for (let at = begin; at <= high; at += step) tick(view.x(at - layout.origin), clock(at, step < 1000));
}

/** Draw the whole history, small: how much each replica did where, and what is seen of it. */
export function paintOverview(context, { layout, width, height, colours, inset }) {
  const { history } = layout;
  context.clearRect(0, 0, width, height);
  const total = layout.shown.length;
  if (total === 0) return;
  const rows = layout.rows.length;
  const inner = width - 2 * inset;
  const counts = new Uint16Array(width * rows);
  const conflicts = new Set();
  for (let rank = 0; rank < total; rank += 1) {
    const event = history.get(layout.shown[rank]);
    const x = Math.round(inset + (total > 1 ? rank / (total - 1) : 0) * inner);
    const row = layout.rowOf[history.lanes.get(event.replica)];
    counts[row * width + Math.min(x, width - 1)] += event.kind === "act" ? 2 : 1;
    if (history.isContested(event.n)) conflicts.add(x);
  }
  const high = (height - 6) / rows;
  const size = Math.max(1, Math.min(3, inner / total - 1));
  for (const [row, lane] of layout.rows.entries()) {
    context.fillStyle = colours.lanes[lane % colours.lanes.length];
    for (let x = 0; x < width; x += 1) {
      const count = counts[row * width + x];
      if (count === 0) continue;
      context.globalAlpha = Math.min(1, 0.35 + count * 0.2);
      context.fillRect(x - size / 2, 5 + row * high, size, Math.max(1, high - 1));
    }
  }
  context.globalAlpha = 1;
  context.fillStyle = colours.conflict;
  for (const x of conflicts) context.fillRect(x - 1, 0, 2, 4);
}

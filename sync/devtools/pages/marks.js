// The events of the diagram and the arrows between them.
//
// What is drawn a frame is bounded by the pixels and not by the events: where events are closer
// than a mark is wide they are counted by pixel column and drawn as bars, and of too many arrows
// an even sample is drawn, fainter.

import { circle, halo, line, rowY } from "./pen.js";

const MOST_ARROWS = 1800;
const LABEL = 7; // pixels between a mark and its label

/** Draw the ways of acts to where they were delivered. */
export function drawArrows(context, scene, first, end, single) {
  const { layout, view, colours, focus } = scene;
  const { history } = layout;
  const total = layout.arrowCount(first, end);
  const step = Math.max(1, Math.ceil(total / MOST_ARROWS));
  const quiet = new Map(); // line -> pixels
  const usual = focus === null ? quiet : new Map();
  const loud = new Map();
  const tips = single && view.scale * 0.4 > 4;
  layout.arrows(first, end, (from, to) => {
    if (step > 1 && (from * 31 + to * 17) % step !== 0) return;
    const act = layout.shown[from];
    const delivery = layout.shown[to];
    const lane = history.lanes.get(history.get(act).replica);
    const target = history.lanes.get(history.get(delivery).replica);
    const near = focus !== null && (delivery === focus || act === focus);
    const group = near ? loud : focus !== null && inside(scene, act, delivery) ? usual : quiet;
    let pixels = group.get(lane);
    if (pixels === undefined) group.set(lane, (pixels = []));
    pixels.push(
      view.x(layout.unitOfRank(from)),
      rowY(scene, layout.rowOf[lane]),
      view.x(layout.unitOfRank(to)),
      rowY(scene, layout.rowOf[target]),
    );
  });
  const strength = step > 1 ? 0.24 : single ? 0.65 : 0.4;
  const stroke = (group, alpha, thickness) => {
    context.globalAlpha = alpha;
    context.lineWidth = thickness;
    for (const [lane, pixels] of group) {
      context.strokeStyle = colours.lanes[lane % colours.lanes.length];
      context.fillStyle = context.strokeStyle;
      strokeArrows(context, pixels, tips);
    }
  };
  const thickness = single ? 1.25 : 0.75;
  stroke(quiet, focus === null ? strength : strength * 0.35, thickness);
  if (usual !== quiet) stroke(usual, Math.min(1, strength * 1.2), thickness);
  stroke(loud, 1, single ? 2 : 1.5);
  context.globalAlpha = 1;
}

/** Whether an arrow lies in the past or in the future of the event in focus. */
function inside(scene, act, delivery) {
  const { history } = scene.layout;
  return history.isBefore(delivery, scene.focus) || history.isBefore(scene.focus, act);
}

function strokeArrows(context, pixels, tips) {
  context.beginPath();
  for (let at = 0; at < pixels.length; at += 4) {
    context.moveTo(pixels[at], pixels[at + 1]);
    context.lineTo(pixels[at + 2], pixels[at + 3]);
  }
  context.stroke();
  if (!tips) return;
  context.beginPath();
  for (let at = 0; at < pixels.length; at += 4) {
    const [x0, y0, x1, y1] = pixels.slice(at, at + 4);
    const length = Math.hypot(x1 - x0, y1 - y0) || 1;
    const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
    const [x, y] = [x1 - dx * 5, y1 - dy * 5]; // the tip touches the rim of the mark
    context.moveTo(x, y);
    context.lineTo(x - dx * 8 - dy * 3.5, y - dy * 8 + dx * 3.5);
    context.lineTo(x - dx * 8 + dy * 3.5, y - dy * 8 - dx * 3.5);
    context.closePath();
  }
  context.fill();
}

/** Draw the events one by one, each with its label where there is room. */
export function drawMarks(context, scene, first, end, radius) {
  const { layout, view, colours, focus, selected } = scene;
  const { history } = layout;
  const labels = [];
  const next = new Array(layout.rows.length).fill(Infinity);
  for (let rank = end - 1; rank >= first; rank -= 1) {
    const n = layout.shown[rank];
    const event = history.get(n);
    const lane = history.lanes.get(event.replica);
    const row = layout.rowOf[lane];
    const x = view.x(layout.unitOfRank(rank));
    const y = rowY(scene, row);
    const relation = focus === null ? "" : history.relation(focus, n);
    const own = colours.lanes[lane % colours.lanes.length];
    context.globalAlpha = relation === "concurrent" && event.kind !== "act" ? 0.45 : 1;
    const contested = history.isContested(n);
    if (contested) {
      context.strokeStyle = colours.conflict;
      context.lineWidth = 2.5;
      circle(context, x, y, radius + 5);
      context.stroke();
    }
    if (event.kind === "act") {
      context.fillStyle = own;
      context.strokeStyle = colours.ground;
      context.lineWidth = 1.5;
      circle(context, x, y, radius);
      context.fill();
      context.stroke();
      if (relation === "concurrent") {
        context.fillStyle = colours.ground;
        circle(context, x, y, radius * 0.5);
        context.fill();
      }
      if (radius > 3.5) labels.push({ event, x, y, room: next[row] - x });
      next[row] = x;
    } else if (event.kind === "deliver") {
      const author = history.lanes.get(event.peer) ?? lane;
      context.fillStyle = colours.ground;
      context.strokeStyle = colours.lanes[author % colours.lanes.length];
      context.lineWidth = Math.max(1, radius / 3);
      circle(context, x, y, radius * 0.68);
      context.fill();
      context.stroke();
    } else {
      drawSign(context, scene, event, x, y, Math.max(3, radius));
      // Its sign is where a label would be.
    }
    if (n === selected || n === focus) {
      context.strokeStyle = n === selected ? colours.accent : colours.text;
      context.lineWidth = 2;
      circle(context, x, y, radius + (contested ? 8.5 : 4));
      context.stroke();
    }
    context.globalAlpha = 1;
  }
  drawLabels(context, scene, labels);
}

/** Draw the sign of what is no work: a bar where a replica comes or goes, a cross at a cut. */
function drawSign(context, scene, event, x, y, radius) {
  const { colours } = scene;
  context.lineWidth = 2;
  context.strokeStyle = event.kind === "cut" ? colours.cut : colours.muted;
  if (event.kind === "join" || event.kind === "leave") {
    line(context, x, y - radius - 2, x, y + radius + 2);
  } else if (event.kind === "cut") {
    line(context, x - radius * 0.7, y - radius * 0.7, x + radius * 0.7, y + radius * 0.7);
    line(context, x - radius * 0.7, y + radius * 0.7, x + radius * 0.7, y - radius * 0.7);
  } else {
    context.beginPath();
    context.moveTo(x, y - radius);
    context.lineTo(x + radius, y);
    context.lineTo(x, y + radius);
    context.lineTo(x - radius, y);
    context.closePath();
    context.fillStyle = colours.ground;
    context.fill();
    context.stroke();
  }
}

function drawLabels(context, scene, labels) {
  const { colours, focus, layout } = scene;
  if (scene.rowHeight < 40) return;
  context.font = scene.fonts.label;
  context.textAlign = "left";
  context.textBaseline = "bottom";
  for (const { event, x, y, room } of labels) {
    const fits = Math.floor((Math.min(room, 340) - 14) / scene.fonts.character);
    const text = event.label || event.action;
    if (fits < Math.min(6, text.length)) continue;
    const short = text.length <= fits ? text : `${text.slice(0, fits - 1)}…`;
    const far = focus !== null && layout.history.relation(focus, event.n) === "concurrent";
    const above = layout.history.isContested(event.n) ? LABEL + 5 : LABEL;
    halo(context, scene, short, x - 4, y - above, far ? colours.concurrent : colours.text);
  }
}

/** Draw how many events there are in each column of pixels: acts tall, deliveries low. */
export function drawBars(context, scene, first, end) {
  const { layout, view, colours, width, focus } = scene;
  const { history } = layout;
  const rows = layout.rows.length;
  const acts = new Uint16Array(width * rows);
  const others = new Uint16Array(width * rows);
  const conflicts = new Uint8Array(width * rows);
  for (let rank = first; rank < end; rank += 1) {
    const x = Math.floor(view.x(layout.unitOfRank(rank)));
    if (x < 0 || x >= width) continue;
    const event = history.get(layout.shown[rank]);
    const at = layout.rowOf[history.lanes.get(event.replica)] * width + x;
    if (event.kind === "act") acts[at] += 1;
    else others[at] += 1;
    if (history.isContested(event.n)) conflicts[at] = 1;
  }
  const most = scene.rowHeight * 0.34;
  for (const [row, lane] of layout.rows.entries()) {
    const y = rowY(scene, row);
    context.fillStyle = colours.lanes[lane % colours.lanes.length];
    const bars = (counts, height) => {
      // Many rectangles are drawn faster than a path of them; columns of one height are one.
      let [start, size] = [0, 0];
      for (let x = 0; x <= width; x += 1) {
        const count = x < width ? counts[row * width + x] : 0;
        const now = count === 0 ? 0 : Math.round(Math.min(most, height * (1 + Math.log2(count))));
        if (now === size) continue;
        if (size > 0) context.fillRect(start, y - size, x - start, 2 * size);
        [start, size] = [x, now];
      }
    };
    context.globalAlpha = focus === null ? 0.45 : 0.25;
    bars(others, 3);
    context.globalAlpha = focus === null ? 1 : 0.7;
    bars(acts, 7);
    context.globalAlpha = 1;
    context.fillStyle = colours.conflict;
    for (let x = 0; x < width; x += 1) {
      if (conflicts[row * width + x] !== 0) context.fillRect(x - 1, y - most - 5, 3, 4);
    }
  }
  for (const n of [scene.selected, focus]) {
    if (n === null || layout.rank(n) < 0) continue;
    const event = history.get(n);
    const lane = history.lanes.get(event.replica);
    context.fillStyle = colours.lanes[lane % colours.lanes.length];
    context.strokeStyle = colours.accent;
    context.lineWidth = 2;
    circle(context, view.x(layout.unit(n)), rowY(scene, layout.rowOf[lane]), 5);
    context.fill();
    context.stroke();
  }
}

/** Return the shown event whose mark is nearest to a point, `within` pixels at most, or `null`. */
export function markAt(scene, x, y, within = 14) {
  const { layout, view } = scene;
  const { history } = layout;
  const [first, end] = layout.window(view.unit(x - within), view.unit(x + within));
  let best = null;
  let least = within;
  for (let rank = first; rank < end; rank += 1) {
    const n = layout.shown[rank];
    const row = layout.rowOf[history.lanes.get(history.get(n).replica)];
    const away = Math.hypot(view.x(layout.unitOfRank(rank)) - x, (rowY(scene, row) - y) * 0.6);
    // An act counts as a little nearer: what it did is what one asks for first.
    const distance = history.get(n).kind === "act" ? away - 1 : away;
    if (distance < least) [best, least] = [n, distance];
  }
  return best;
}

// What everything that is drawn on the diagram has in common: where lines are, and simple strokes.

export const RULER = 26; // pixels at the top for the axis

/** Return the y of the line of a row. */
export function rowY(scene, row) {
  return RULER + scene.scroll + (row + 0.5) * scene.rowHeight;
}

/** Draw a straight line. */
export function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** Make a circle the current path. */
export function circle(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

/** Write a text that stays legible over lines. */
export function halo(context, scene, text, x, y, fill) {
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = scene.colours.ground;
  context.strokeText(text, x, y);
  context.fillStyle = fill;
  context.fillText(text, x, y);
}

// What lasts: links that were cut until they healed, and replicas that were away until they joined.
//
// Of two groups that are apart, every pair of replicas is cut, and bands between all pairs would
// hide one another. A pair's band is left out where the pair encloses another that is cut, so what
// remains is drawn between neighbouring lines wherever it can be.

/**
 * Return `{bands, absences}` of a layout: bands `{low, high, from, to, pairs}` between two rows,
 * absences `{row, from, to}`. `from` and `to` are numbers of events; `to` is `null` for what lasts,
 * and `from` is `null` for what was so from the start.
 */
export function spans(layout) {
  const { history } = layout;
  const cut = new Map(); // "low high" -> {low, high, names}
  const open = new Map();
  const bands = [];
  const away = new Map();
  const absences = [];
  const joined = new Set();

  const draw = (n) => {
    const wanted = inner([...cut.values()]);
    for (const [key, band] of open) {
      const again = wanted.get(key);
      if (again !== undefined) {
        band.pairs = Math.max(band.pairs, again.pairs);
        continue;
      }
      band.to = n;
      bands.push(band);
      open.delete(key);
    }
    for (const [key, pair] of wanted) {
      if (!open.has(key)) open.set(key, { ...pair, from: n, to: null });
    }
  };

  for (const n of layout.breaks) {
    const { kind, replica, peer } = history.get(n);
    const row = layout.rowOf[history.lanes.get(replica)] ?? -1;
    if (kind === "leave" && row >= 0 && !away.has(row)) away.set(row, { row, from: n, to: null });
    if (kind === "join" && row >= 0) {
      const absence = away.get(row) ?? (joined.has(row) ? null : { row, from: null });
      if (absence !== null) absences.push({ ...absence, to: n });
      away.delete(row);
      joined.add(row);
    }
    if (kind !== "cut" && kind !== "heal") continue;
    const other = layout.rowOf[history.lanes.get(peer)] ?? -1;
    if (row < 0 || other < 0 || row === other) continue;
    const [low, high] = [Math.min(row, other), Math.max(row, other)];
    const key = `${low} ${high}`;
    if (kind === "heal" ? !cut.delete(key) : cut.has(key)) continue;
    if (kind === "cut") cut.set(key, { low, high });
    draw(n);
  }
  bands.push(...open.values());
  absences.push(...away.values());
  return { bands, absences };
}

/** Return the pairs that enclose no other, by key, each with how many pairs cross it. */
function inner(pairs) {
  const found = new Map();
  for (const { low, high } of pairs) {
    const encloses = (other) =>
      other.low >= low && other.high <= high && (other.low !== low || other.high !== high);
    if (pairs.some(encloses)) continue;
    const crossing = pairs.filter((other) => other.low <= low && other.high >= high).length;
    found.set(`${low} ${high}`, { low, high, pairs: crossing });
  }
  return found;
}

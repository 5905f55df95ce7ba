// How sizes, moments and names are written, the same on every page.

/** Return a size in bytes for people: `312 B`, `4.1 kB`. */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  for (const unit of ["kB", "MB", "GB"]) {
    size /= 1000;
    if (size < 1000) return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`;
  }
  return `${Math.round(size / 1000)} TB`;
}

/** Return `count` with its noun: `1 event`, `2 events`. */
export function count(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en").replaceAll(",", " ")} ${number === 1 ? noun : plural}`;
}

const two = (number) => String(number).padStart(2, "0");

/** Return a moment (milliseconds since 1970) as the time of day here: `12:30:01.250`. */
export function clock(milliseconds, fine = true) {
  const at = new Date(milliseconds);
  if (Number.isNaN(at.getTime())) return "";
  const whole = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return fine ? `${whole}.${String(at.getMilliseconds()).padStart(3, "0")}` : whole;
}

/** Return a span of milliseconds for people, with its sign: `+35 ms`, `+1.2 s`, `−4 min`. */
export function span(milliseconds) {
  const sign = milliseconds < 0 ? "−" : "+";
  const size = Math.abs(milliseconds);
  if (size < 1000) return `${sign}${Math.round(size)} ms`;
  if (size < 60_000) return `${sign}${(size / 1000).toFixed(size < 10_000 ? 1 : 0)} s`;
  if (size < 3_600_000) return `${sign}${Math.round(size / 60_000)} min`;
  return `${sign}${(size / 3_600_000).toFixed(1)} h`;
}

/** Return a path of keys for people. */
export function path(keys) {
  return keys.map(String).join(" › ");
}

/** Return hexadecimal text as the rows of a hex dump: offset, bytes, and what is printable. */
export function dump(hex) {
  const rows = [];
  for (let at = 0; at < hex.length; at += 32) {
    const pairs = hex.slice(at, at + 32).match(/../g) ?? [];
    const text = pairs.map((pair) => {
      const code = parseInt(pair, 16);
      return code >= 32 && code < 127 ? String.fromCharCode(code) : "·";
    });
    const left = pairs.slice(0, 8).join(" ").padEnd(23);
    const right = pairs.slice(8).join(" ").padEnd(23);
    rows.push(`${(at / 2).toString(16).padStart(4, "0")}  ${left}  ${right}  ${text.join("")}`);
  }
  return rows.join("\n");
}

/** Return the one line that says what an event is. */
export function title(event, name) {
  const peer = event.peer ? name(event.peer) : "";
  switch (event.kind) {
    case "cut":
      return `link to ${peer} cut`;
    case "heal":
      return `link to ${peer} healed`;
    case "join":
      return "joined";
    case "leave":
      return "left";
    default:
      return event.label || event.action;
  }
}

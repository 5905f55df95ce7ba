// A value as a tree that is opened piece by piece: what is closed has no elements.

import { element } from "./element.js";
import { path } from "./format.js";

const PAGE = 100; // entries shown at once

/**
 * A value on the page. `show` may be called again with a newer value: what was open stays open.
 * `depth` is how many levels are open at first.
 */
export class Tree {
  constructor({ depth = 1, label = "value" } = {}) {
    this.depth = depth;
    this.toggled = new Set();
    this.shown = new Map();
    this.element = element("ul", { class: "tree", "aria-label": label });
  }

  show(value) {
    const focused = this.element.contains(document.activeElement)
      ? document.activeElement.dataset.at
      : undefined;
    const items = isBranch(value) ? this.entries(value, "", 0) : [leaf(null, value)];
    this.element.replaceChildren(...items);
    if (focused === undefined) return;
    for (const button of this.element.querySelectorAll("button")) {
      if (button.dataset.at === focused) button.focus();
    }
  }

  entries(value, at, level) {
    const all = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    if (all.length === 0) return [element("li", { class: "empty", text: "empty" })];
    const count = this.shown.get(at) ?? PAGE;
    const items = all.slice(0, count).map(([key, item]) => this.item(key, item, at, level));
    if (all.length > count) {
      const more = element("button", {
        class: "more",
        type: "button",
        text: `… ${all.length - count} more`,
      });
      more.addEventListener("click", () => {
        this.shown.set(at, count + PAGE * 5);
        more.parentElement.parentElement.replaceChildren(...this.entries(value, at, level));
      });
      items.push(element("li", {}, more));
    }
    return items;
  }

  item(key, value, parent, level) {
    if (!isBranch(value)) return leaf(key, value);
    const at = `${parent}/${encodeURIComponent(key)}`;
    const open = level < this.depth !== this.toggled.has(at);
    const button = element(
      "button",
      { class: "twig", type: "button", "aria-expanded": String(open), dataset: { at } },
      element("span", { class: "key", text: String(key) }),
      element("span", { class: "preview", text: preview(value) }),
    );
    const item = element("li", {}, button);
    if (open) item.append(this.branch(value, at, level));
    button.addEventListener("click", () => {
      if (this.toggled.has(at)) this.toggled.delete(at);
      else this.toggled.add(at);
      const isOpen = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(isOpen));
      if (isOpen) item.append(this.branch(value, at, level));
      else item.lastElementChild.remove();
    });
    return item;
  }

  branch(value, at, level) {
    return element("ul", {}, ...this.entries(value, at, level + 1));
  }
}

function isBranch(value) {
  return typeof value === "object" && value !== null;
}

function leaf(key, value) {
  const item = element("li", { class: "leaf" });
  if (key !== null) item.append(element("span", { class: "key", text: String(key) }));
  item.append(scalar(value));
  return item;
}

/** Return a value that has no parts, in the colour of its type. */
function scalar(value) {
  const type = value === null || value === undefined ? "null" : typeof value;
  return element("span", { class: `scalar ${type}`, text: JSON.stringify(value) ?? "null" });
}

/** Return a line that says what is in a value. */
export function preview(value, length = 60) {
  if (!isBranch(value)) return JSON.stringify(value) ?? "null";
  const list = Array.isArray(value);
  const size = list ? value.length : Object.keys(value).length;
  if (size === 0) return list ? "[]" : "{}";
  const parts = [];
  let used = 0;
  for (const key in value) {
    const item = value[key];
    const inner = isBranch(item) ? (Array.isArray(item) ? "[…]" : "{…}") : JSON.stringify(item);
    const part = list ? inner : `${key}: ${inner}`;
    used += part.length + 2;
    if (used > length) {
      parts.push("…");
      break;
    }
    parts.push(part);
  }
  return list ? `[${parts.join(", ")}]  ${size}` : `{${parts.join(", ")}}`;
}

/** Return the elements of a list of changes, as `detail` has them: before and after, coloured. */
export function changes(diff, truncated = 0) {
  const list = element("ul", { class: "changes" });
  for (const change of diff) {
    const sign = { added: "+", removed: "−", changed: "~" }[change.kind] ?? "~";
    const row = element(
      "li",
      { class: `change ${change.kind}` },
      element(
        "div",
        { class: "path" },
        element("span", { class: "sign", text: sign, "aria-label": change.kind }),
        path(change.path) || "(all of it)",
      ),
    );
    if (change.kind !== "added") row.append(side("before", change.before));
    if (change.kind !== "removed") row.append(side("after", change.after));
    list.append(row);
  }
  if (truncated > 0) {
    list.append(element("li", { class: "note", text: `… and ${truncated} more changes` }));
  }
  return list;
}

function side(which, value) {
  const box = element("div", { class: which });
  box.append(element("span", { class: "hidden", text: `${which}: ` }));
  if (isBranch(value)) {
    const tree = new Tree({ depth: 1, label: which });
    tree.show(value);
    box.append(tree.element);
  } else {
    box.append(scalar(value));
  }
  return box;
}

// Elements of a page, made without markup: every text becomes a text node, so what a store sends is
// shown as it is and never parsed as HTML.

/**
 * Return a new element. In `properties`, `class` and `text` are what they say, `on` maps event
 * names to listeners, `dataset` is merged, and everything else is set as an attribute; `true` sets
 * an empty attribute, `false` and `null` none. Strings among `children` become text nodes.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (name === "dataset") Object.assign(made.dataset, value);
    else if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : String(value));
    }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Return the element with this id, which the page must have. */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element with id ${id}`);
  return found;
}

/** Let the browser save `text` as a file called `name`. */
export function download(name, text) {
  const type = name.endsWith(".json") ? "application/json" : "text/plain";
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Whether keys typed at `target` belong to it: a field to write in, or a menu. */
export function takesKeys(target) {
  if (!(target instanceof Element)) return false;
  if (target.closest("dialog, select, textarea, [contenteditable]")) return true;
  const input = target.closest("input");
  return input !== null && !["range", "checkbox", "radio", "button"].includes(input.type);
}

/** Open the popover `menu` under `button`, inside the window, whenever the button is pressed. */
export function menuUnder(button, menu) {
  button.setAttribute("aria-expanded", "false");
  menu.addEventListener("toggle", (event) => {
    const open = event.newState === "open";
    button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    const at = button.getBoundingClientRect();
    const width = menu.offsetWidth;
    menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
    menu.style.top = `${at.bottom + 6}px`;
    menu.querySelector("input, button")?.focus();
  });
}

/** Make the buttons of a `role=tablist` element work as tabs of the panels they control. */
export function tabs(list, chosen) {
  const all = [...list.querySelectorAll('[role="tab"]')];
  const choose = (tab, focus) => {
    for (const other of all) {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      byId(other.getAttribute("aria-controls")).hidden = !on;
    }
    if (focus) tab.focus();
    chosen(tab.dataset.tab);
  };
  for (const [index, tab] of all.entries()) {
    tab.addEventListener("click", () => choose(tab, false));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      choose(all[(index + step + all.length) % all.length], true);
    });
  }
  return (name) => choose(all.find((tab) => tab.dataset.tab === name), false);
}

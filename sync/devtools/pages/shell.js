// What all pages have around them: where one can go, the connection's state, and the theme.

import { byId, element } from "./element.js";

const PAGES = [
  ["Inspector", "./", ""],
  ["Timeline", "timeline", "timeline"],
  ["Redux DevTools", "redux/", "redux"],
  ["Extension", "bridge", "bridge"],
];

/** Fill the page's header and watch the feed's connection. */
export function shell(feed) {
  const here = location.pathname.split("/").pop().replace(/\.html$/, "").replace(/^index$/, "");
  const state = element("span", { class: "connection", role: "status" });
  const theme = element("button", { class: "quiet icon", type: "button", id: "theme" });
  const links = PAGES.map(([text, href, name]) =>
    element("a", { href, text, "aria-current": name === here ? "page" : null }),
  );
  byId("header").append(
    element("a", { class: "brand", href: "./" }, mark(), "crdtstore"),
    element("nav", { "aria-label": "Tools" }, ...links),
    element("span", { class: "grow" }),
    state,
    theme,
  );

  const banner = byId("banner");
  const show = () => {
    state.dataset.status = feed.status;
    state.textContent = { connecting: "Connecting", open: "Live", lost: "Disconnected" }[feed.status];
    banner.hidden = feed.status !== "lost";
    banner.textContent =
      feed.status === "lost"
        ? "The connection to the program is lost. What you see is the last that came; trying again …"
        : "";
  };
  feed.addEventListener("status", show);
  show();

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const label = () => {
    const text = isDark() ? "Use the light theme" : "Use the dark theme";
    theme.setAttribute("aria-label", text);
    theme.title = text;
    theme.textContent = isDark() ? "☀" : "☾";
    document.dispatchEvent(new Event("theme"));
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("crdtstore-theme", root.dataset.theme);
    } catch {
      // It lasts as long as the page, then.
    }
    label();
  });
  dark.addEventListener("change", label);
  label();
}

/** Return the project's mark: two lines that part and meet. */
function mark() {
  return element("span", { class: "mark", "aria-hidden": "true" });
}

/** Return the colour of CSS that a custom property stands for, as the theme has it now. */
export function colour(name) {
  const probe = element("span", { class: "probe" });
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** How many colours there are for replicas. */
export const COLOURS = 10;

/** Return the custom property with the colour of a replica's line. */
export function lineColour(history, replica) {
  return `--replica-${history.colour(history.lane(replica)) % COLOURS}`;
}

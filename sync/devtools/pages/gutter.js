// The names and states of the replicas at the left of the diagram, each beside its line.

import { replicaTag } from "./detail.js";
import { byId, element } from "./element.js";
import { count } from "./format.js";
import { rowY } from "./pen.js";

export class Gutter {
  constructor(feed, layout, diagram) {
    this.feed = feed;
    this.layout = layout;
    this.diagram = diagram;
    this.placed = "";
  }

  /** Say again what is known of the replicas. */
  draw() {
    const items = this.layout.rows.map((lane) => {
      const replica = this.layout.history.names[lane];
      return element("li", { class: "lane", dataset: { replica } }, ...laneFacts(this.feed, replica));
    });
    byId("lanes").replaceChildren(...items);
    this.placed = "";
    this.place();
  }

  /** Put the names beside their lines. */
  place() {
    const { diagram } = this;
    const now = `${diagram.rowHeight} ${diagram.scroll} ${this.layout.rows.length}`;
    if (now === this.placed) return;
    this.placed = now;
    for (const [row, item] of [...byId("lanes").children].entries()) {
      item.style.height = `${diagram.rowHeight}px`;
      item.style.transform = `translateY(${rowY(diagram, row) - diagram.rowHeight / 2}px)`;
    }
  }
}

/** Return the elements that say who a replica is and how it is. */
function laneFacts(feed, id) {
  const replica = feed.byId.get(id);
  const state = presence(replica);
  const facts = [
    element(
      "div",
      { class: "lane-name" },
      replicaTag(feed, id),
      element("span", { class: `presence ${state.class}`, text: state.text }),
    ),
  ];
  const line = element("div", { class: "lane-facts" });
  if (replica?.attached) {
    const { lag, agrees, digest } = replica;
    if (lag !== null && lag !== undefined) {
      const behind = lag > 0;
      const text = behind ? `${lag} behind` : "has all";
      const tip = behind ? `has not got ${count(lag, "action")} of others` : "has every action";
      line.append(element("span", { class: behind ? "warning" : "good", text, title: tip }));
    }
    if (digest) {
      const sign = agrees === true ? "=" : agrees === false ? "≠" : "?";
      const tip =
        agrees === true
          ? "its content is the same as the others’"
          : agrees === false
            ? "its content differs from the others’"
            : "not compared yet";
      line.append(
        element(
          "span",
          { class: `digest ${agrees === false ? "differs" : ""}`, title: `digest ${digest}: ${tip}` },
          element("b", { text: sign, "aria-label": tip }),
          digest.slice(0, 6),
        ),
      );
    }
  } else if (replica !== undefined) {
    line.append(element("span", { class: "muted", text: "known through others" }));
  }
  facts.push(line);
  return facts;
}

function presence(replica) {
  if (replica === undefined || !replica.attached) return { class: "unknown", text: "not watched" };
  return replica.online ? { class: "online", text: "online" } : { class: "offline", text: "offline" };
}

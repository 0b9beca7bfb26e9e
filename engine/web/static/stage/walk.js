// The walk through the page: a card beside what it speaks of, with something to do. Who leaves goes on where he was.

import { el } from "../lib/dom.js";
import { t } from "../lib/language.js";
import { Narrative, kept } from "../lib/narrative.js";
import { around, beside } from "../lib/pointing.js";
import { explorer } from "./header.js";
import { placesOf } from "./places.js";

const MARGIN = 6;

export class Walk {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.store = kept("algoritmo.stage");
    this.narrative = null;
    this.frame = el("div", "ring dim");
    this.hand = el("div", "ring hand");
    this.frame.hidden = this.hand.hidden = true;
    document.body.append(this.frame, this.hand);
    addEventListener("resize", () => this.follow());
    root.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") this.next();
      else if (event.key === "ArrowLeft") this.back();
      else if (event.key === "Escape") this.end();
      else return;
      event.stopPropagation();
    });
  }

  get open() {
    return !this.root.hidden;
  }

  start() {
    const { app } = this;
    this.narrative = new Narrative(placesOf(app.net, app.mayChange), this.store);
    this.before ??= app.views.network.shown;
    app.toggleControls(false);
    app.idle.touch();
    this.show();
  }

  next() {
    const { narrative } = this;
    if (narrative.last) {
      narrative.go(0); // whoever begins again begins at the beginning
      this.end();
      return;
    }
    narrative.go(narrative.at + 1);
    this.show();
  }

  back() {
    this.narrative.go(this.narrative.at - 1);
    this.show();
  }

  end() {
    this.close();
    this.app.views.network.showSignals(this.before);
    this.before = null;
    document.getElementById("act-walk").focus();
  }

  close() {
    this.root.hidden = this.frame.hidden = this.hand.hidden = true;
  }

  // Nobody is here any more.
  forget() {
    this.close();
    this.before = null;
    this.narrative?.forget();
    this.narrative = null;
  }

  // The same card in another language.
  again() {
    if (this.open) this.show();
  }

  show() {
    const { root, narrative } = this;
    const { here, places } = narrative;
    openPlace(this.app, here);
    root.hidden = false;
    const heading = el("h2", "", t(`walk.${here.id}.title`));
    heading.id = "walk-title";
    this.said = el("p", "said");
    this.said.setAttribute("role", "status");
    this.asks = el("p", "try", here.done ? t(`walk.${here.id}.try`) : "");
    root.replaceChildren(heading, el("p", "", t(`walk.${here.id}.text`)), this.asks, this.said, ...(narrative.last ? [explorer(this.app)] : []), this.acts(places));
    if (narrative.isDone(here.id)) this.praise();
    this.follow();
    document.getElementById("walk-next").focus();
  }

  acts(places) {
    const { narrative } = this;
    const acts = el("div", "walk-acts");
    const back = el("button", "chip", t("back"));
    back.disabled = narrative.first;
    back.onclick = () => this.back();
    const next = el("button", "chip strong", t(narrative.last ? "done" : "next"));
    next.id = "walk-next";
    next.onclick = () => this.next();
    const leave = el("button", "quiet", t("leave"));
    leave.id = "walk-leave";
    leave.onclick = () => this.end();
    acts.append(leave, el("span", "soft", t("walk.place", { number: narrative.at + 1, count: places.length })), back, next);
    return acts;
  }

  // Something was done on the page; where it is what was to be done here, say so.
  happened(what) {
    if (!this.open || !this.narrative.happened(what)) return;
    this.praise();
    this.follow();
  }

  praise() {
    this.asks.hidden = true;
    this.said.textContent = t(`walk.${this.narrative.here.id}.done`);
  }

  // Frame what is meant, and stand where that is not.
  follow() {
    if (!this.open) return;
    const { here } = this.narrative;
    const box = putRing(this.frame, here.ring, true);
    const hand = putRing(this.hand, this.narrative.isDone(here.id) ? "" : here.at);
    const { left, top } = beside(box, this.root.getBoundingClientRect(), { width: innerWidth, height: innerHeight }, hand);
    this.root.style.transform = `translate(${Math.round(left)}px,${Math.round(top)}px)`;
  }
}

// Show the view of a place, with the signal it speaks of.
export function openPlace(app, { view, signal }) {
  if (signal) app.views.network.reveal(signal);
  if (view !== app.view) app.show(view);
}

// Put a frame around all that a selector finds; returns its box, null for none.
export function putRing(frame, selector, scroll = false) {
  const targets = selector ? [...document.querySelectorAll(selector)] : [];
  if (scroll) targets[0]?.scrollIntoView({ block: "nearest" });
  const view = targets[0]?.closest("#view")?.getBoundingClientRect();
  const screen = { left: 2, top: 2, right: innerWidth - 2, bottom: innerHeight - 2 };
  const box = around(targets.map((target) => target.getBoundingClientRect()), view ?? screen);
  frame.hidden = !box;
  if (!box) return null;
  const left = Math.max(box.left - MARGIN, 2);
  const top = Math.max(box.top - MARGIN, 2);
  const width = Math.min(box.right + MARGIN, innerWidth - 2) - left;
  const height = Math.min(box.bottom + MARGIN, innerHeight - 2) - top;
  Object.assign(frame.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  return box;
}

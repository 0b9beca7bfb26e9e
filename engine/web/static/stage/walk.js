// A walk through the page in two minutes, and the same words as captions when nobody is there to click.

import { el } from "../lib/dom.js";
import { Steps, around, beside, cards } from "../lib/walk.js";

const TURN_MS = 18000;
const REST_MS = 60000; // after somebody touched something
const FOLLOW_MS = 250; // how often the frame follows what it is around
const MARGIN = 6;

export class Walk {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.steps = new Steps([]);
    this.frame = el("div", "ring dim");
    this.frame.hidden = true;
    document.body.append(this.frame);
    addEventListener("resize", () => this.steps.card && this.place());
    root.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") this.show(this.steps.next());
      else if (event.key === "ArrowLeft") this.show(this.steps.back());
      else if (event.key === "Escape") this.end();
      else return;
      event.stopPropagation();
    });
  }

  start() {
    this.steps = new Steps(cards(this.app.net).filter((card) => !card.last || this.app.mayChange));
    this.before = this.app.views.network.shown;
    this.app.toggleControls(false);
    this.show(this.steps.go(0));
  }

  end() {
    this.steps.go(Infinity);
    this.root.hidden = true;
    this.frame.hidden = true;
    this.app.views.network.showSignals(this.before);
    document.getElementById("act-walk").focus();
  }

  show(card) {
    if (!card) {
      this.end();
      return;
    }
    const { root, steps } = this;
    open(this.app, card);
    root.hidden = false;
    const heading = el("h2", "", card.title);
    heading.id = "walk-title";
    const acts = el("div", "walk-acts");
    const back = el("button", "chip", "Back");
    back.disabled = steps.first;
    back.onclick = () => this.show(steps.back());
    const next = el("button", "chip strong", steps.last ? "Done" : "Next");
    next.id = "walk-next";
    next.onclick = () => this.show(steps.next());
    const leave = el("button", "quiet", "Leave");
    leave.id = "walk-leave";
    leave.onclick = () => this.end();
    acts.append(leave, el("span", "soft", `${steps.at + 1} of ${steps.cards.length}`), back, next);
    root.replaceChildren(heading, el("p", "", card.text), acts);
    this.place();
    next.focus();
  }

  // Frame what is meant, and stand where that is not.
  place() {
    const box = putRing(this.frame, this.steps.card.ring, true);
    const { left, top } = beside(box, this.root.getBoundingClientRect(), { width: innerWidth, height: innerHeight });
    this.root.style.transform = `translate(${Math.round(left)}px,${Math.round(top)}px)`;
  }
}

// Show the view of a card, with the signal it speaks of.
function open(app, { view, signal }) {
  if (signal) app.views.network.reveal(signal);
  if (view !== app.view) app.show(view);
}

// Put a frame around all that a selector finds; returns its box, null for none.
function putRing(frame, selector, scroll = false) {
  const targets = selector ? [...document.querySelectorAll(selector)] : [];
  if (scroll) targets[0]?.scrollIntoView({ block: "nearest" });
  const view = targets[0]?.closest("#view")?.getBoundingClientRect();
  const screen = { left: 2, top: 2, right: innerWidth - 2, bottom: innerHeight - 2 };
  const box = around(targets.map((t) => t.getBoundingClientRect()), view ?? screen);
  frame.hidden = !box;
  if (!box) return null;
  const left = Math.max(box.left - MARGIN, 2);
  const top = Math.max(box.top - MARGIN, 2);
  const width = Math.min(box.right + MARGIN, innerWidth - 2) - left;
  const height = Math.min(box.bottom + MARGIN, innerHeight - 2) - top;
  Object.assign(frame.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  return box;
}

// Without a visitor: one card after the other, as a caption. Whoever touches the screen has the page to himself for a while.
export class Kiosk {
  constructor(app, caption) {
    this.app = app;
    this.caption = caption;
    this.frame = el("div", "ring");
    this.frame.hidden = true;
    document.body.append(this.frame);
    this.steps = null;
    this.due = 0;
    this.followed = 0;
    document.body.classList.add("kiosk");
    document.documentElement.classList.add("far");
    this.stayAwake();
    document.addEventListener("visibilitychange", () => this.stayAwake());
    const touch = (event) => {
      if (!event.isTrusted) return;
      this.due = performance.now() + REST_MS;
      this.caption.hidden = this.frame.hidden = true;
      document.body.classList.remove("alone");
      if (event.type === "pointerdown" && !document.fullscreenElement) document.documentElement.requestFullscreen?.().catch(() => {});
    };
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, touch);
  }

  // Keep the screen from going dark, where the browser lets a page ask for it.
  stayAwake() {
    if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {});
  }

  // Another network has come, or what one may do has changed.
  restart() {
    this.steps = null;
  }

  draw(now) {
    if (!this.app.net) return;
    if (now >= this.due) this.turn(now);
    else if (!this.caption.hidden && now - this.followed > FOLLOW_MS) {
      this.followed = now;
      putRing(this.frame, this.steps?.card?.ring);
    }
  }

  turn(now) {
    this.steps ??= new Steps(cards(this.app.net).filter((card) => !card.last || this.app.mayChange));
    this.due = now + TURN_MS;
    const card = this.steps.round();
    this.caption.replaceChildren(el("b", "", card.title), el("span", "", card.text));
    this.caption.hidden = false;
    document.body.classList.add("alone");
    if (card.view === "neuron") this.app.surprise();
    else open(this.app, card);
    this.followed = now;
    putRing(this.frame, card.ring, true);
  }
}

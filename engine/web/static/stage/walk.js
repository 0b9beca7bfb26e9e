// A walk through the page in two minutes, and the same words as captions when nobody is there to click.

import { el } from "../lib/dom.js";

// One card: where to look (view, and what to ring there), a title, a text. Texts may ask what the network is like.
export function cards(net) {
  const layers = net.stack.length;
  const several = layers > 1;
  const sees = layers > 0;
  const out = [
    {
      view: "network",
      title: "A network at play",
      text: `What you see is a computer program making music, ${net.recorded ? "as it was recorded" : "this very moment"}. It is a network of small calculators, called neurons. Nothing here is staged: every dot is a number it ${net.recorded ? "worked out then" : "has just worked out"}.`,
    },
    net.planes
      ? {
          view: "network",
          ring: ".choices",
          title: "It believes, then it chooses",
          text: "For every note of the keyboard the network works out how likely it should sound now: the lighter the grey, the likelier. Then it draws lots. A red dot is a note it chose, and that is what you hear.",
        }
      : {
          view: "network",
          ring: ".belief",
          title: "It believes, then it chooses",
          text: "Each column is one note of one instrument. The taller the bar, the likelier the network finds this note right now. Then it draws lots: the blocks below are what it chose, and that is what you hear.",
        },
    {
      view: "network",
      ring: net.planes ? ".notes-row" : ".heard-row",
      title: "All it knows of the world",
      text: "The network has no ears. At every step it is told which notes sounded a moment ago, its own and yours, and nothing else. Yours are amber.",
    },
  ];
  if (sees) {
    out.push({
      view: "network",
      ring: ".layer .bed",
      title: "A neuron is one number",
      text: "Each neuron adds up what reaches it, some of it counted for, some against, and answers with one number. Blue: no. Orange: yes. Black: nothing to say. " + (net.planes ? "Rows are notes: look how it stirs near the notes being played." : "A band sinks as time passes, newest on top."),
    });
  }
  if (several) {
    out.push({
      view: "network",
      ring: ".net .layer",
      title: "Layers build on layers",
      text: net.planes
        ? "The first layers follow each note through time. The last ones go up the keyboard and decide note by note, so that a chord becomes one thought."
        : `Notes enter at the bottom. Each of the ${layers} layers works on what the one below it says, and the topmost has the last word before the choice.`,
    });
  }
  if (net.signals.includes("c")) {
    out.push({
      view: "network",
      ring: ".heads",
      title: "It remembers",
      text: "Each neuron also keeps a memory. At every step it decides how much to keep, how much to let in and how much to say. Slow stripes on the right are memories that last for bars.",
    });
  }
  if (sees) {
    out.push({
      view: "neuron",
      ring: ".neuron-side",
      title: "One neuron for itself",
      text: "Click any dot to watch that neuron alone. Where in the bar does it say yes? Which notes does it go with? Nobody taught it that: it found a use for itself while learning from songs.",
    });
    out.push({
      view: "moments",
      ring: ".matrix-box",
      title: "Has it been here before?",
      text: "Every moment set against every other: bright where the network was in nearly the same state. Stripes beside the diagonal are music that comes back. Click one to see both moments.",
    });
  }
  out.push(
    {
      view: "roll",
      ring: ".roll",
      title: "What nearly happened",
      text: "Here run the notes. Bright ones sounded. The faint ghosts were likely, but the lots fell otherwise: the music it might have played. Let it look ahead, and right of now is what it might play next.",
    },
    {
      view: "network",
      ring: "#dock",
      title: "Now you",
      text: "Play along: on the keys below, on the letters of your computer, or on a MIDI keyboard. Your notes turn amber, and the network hears you in the very step you play.",
      last: true,
    },
  );
  return out;
}

export class Walk {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.at = -1;
    this.frame = el("div", "ring dim");
    this.frame.hidden = true;
    document.body.append(this.frame);
    addEventListener("resize", () => this.at >= 0 && this.place());
    root.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") this.go(this.at + 1);
      else if (event.key === "ArrowLeft") this.go(this.at - 1);
      else if (event.key === "Escape") this.end();
      else return;
      event.stopPropagation();
    });
  }

  start() {
    this.cards = cards(this.app.net).filter((c) => !c.last || this.app.mayChange);
    this.app.toggleControls(false);
    this.go(0);
  }

  end() {
    this.at = -1;
    this.root.hidden = true;
    this.frame.hidden = true;
    document.getElementById("act-walk").focus();
  }

  go(at) {
    if (at < 0) return;
    if (at >= this.cards.length) {
      this.end();
      return;
    }
    this.at = at;
    const { view, title, text } = this.cards[at];
    this.app.show(view);
    const { root } = this;
    root.hidden = false;
    const heading = el("h2", "", title);
    heading.id = "walk-title";
    const acts = el("div", "walk-acts");
    const back = el("button", "chip", "Back");
    back.disabled = at === 0;
    back.onclick = () => this.go(at - 1);
    const next = el("button", "chip strong", at === this.cards.length - 1 ? "Done" : "Next");
    next.id = "walk-next";
    next.onclick = () => this.go(at + 1);
    const leave = el("button", "quiet", "Leave");
    leave.id = "walk-leave";
    leave.onclick = () => this.end();
    acts.append(leave, el("span", "soft", `${at + 1} of ${this.cards.length}`), back, next);
    root.replaceChildren(heading, el("p", "", text), acts);
    this.place();
    next.focus();
  }

  // Ring what is meant, and stand where that is not.
  place() {
    const target = putRing(this.frame, this.cards[this.at].ring);
    const own = this.root.getBoundingClientRect();
    let left = (innerWidth - own.width) / 2;
    let top = innerHeight - own.height - 24;
    if (target) {
      const box = target.getBoundingClientRect();
      left = Math.min(Math.max(box.left + box.width / 2 - own.width / 2, 16), innerWidth - own.width - 16);
      if (box.bottom + own.height + 32 < innerHeight) top = box.bottom + 20;
      else if (box.top - own.height - 32 > 0) top = box.top - own.height - 20;
      else if (box.left - own.width - 32 > 0) [left, top] = [box.left - own.width - 24, box.top + 40];
      else if (box.right + own.width + 32 < innerWidth) [left, top] = [box.right + 24, box.top + 40];
    }
    this.root.style.transform = `translate(${Math.round(left)}px,${Math.round(Math.max(top, 8))}px)`;
  }
}

// Put a frame around what a selector finds; returns that.
function putRing(frame, selector) {
  const target = selector ? document.querySelector(selector) : null;
  frame.hidden = !target;
  if (!target) return null;
  target.scrollIntoView({ block: "nearest" });
  const box = target.getBoundingClientRect();
  const left = Math.max(box.left - 6, 2);
  const top = Math.max(box.top - 6, 2);
  const width = Math.min(box.right + 6, innerWidth - 2) - left;
  const height = Math.min(box.bottom + 6, innerHeight - 2) - top;
  Object.assign(frame.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  return target;
}

const TURN_MS = 18000;
const REST_MS = 60000; // after somebody touched something

// Without a visitor: one card after the other, as a caption.
export class Kiosk {
  constructor(app, caption) {
    this.app = app;
    this.caption = caption;
    this.frame = el("div", "ring");
    this.frame.hidden = true;
    document.body.append(this.frame);
    this.at = -1;
    this.due = 0;
    document.body.classList.add("kiosk");
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

  draw(now) {
    if (now < this.due || !this.app.net) return;
    const list = cards(this.app.net).filter((c) => !c.last);
    this.at = (this.at + 1) % list.length;
    this.due = now + TURN_MS;
    const { view, title, text, ring } = list[this.at];
    if (view === "neuron") this.app.surprise();
    else if (view !== this.app.view) this.app.show(view);
    this.caption.replaceChildren(el("b", "", title), el("span", "", text));
    this.caption.hidden = false;
    document.body.classList.add("alone");
    putRing(this.frame, ring);
  }
}

// A screen in a room. While nobody is there: the walk's words as captions, one after the other.

import { el } from "../lib/dom.js";
import { t } from "../lib/language.js";
import { Narrative } from "../lib/narrative.js";
import { placesOf } from "./places.js";
import { openPlace, putRing } from "./walk.js";

const TURN_MS = 18000;
const FOLLOW_MS = 250; // how often the frame follows what it is around

export class Kiosk {
  constructor(app, caption) {
    this.app = app;
    this.caption = caption;
    this.frame = el("div", "ring");
    this.frame.hidden = true;
    document.body.append(this.frame);
    this.narrative = null;
    this.due = 0;
    this.followed = 0;
    document.body.classList.add("kiosk");
    document.documentElement.classList.add("far");
    this.stayAwake();
    document.addEventListener("visibilitychange", () => this.stayAwake());
  }

  // Keep the screen from going dark, where the browser lets a page ask for it.
  stayAwake() {
    if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {});
  }

  // Somebody touched the screen: it is his.
  rest() {
    this.due = 0;
    this.caption.hidden = this.frame.hidden = true;
    document.body.classList.remove("alone");
  }

  // Another network has come, what one may do has changed, or somebody left: begin with the first.
  restart() {
    this.narrative = null;
    this.due = 0;
  }

  // The same caption in another language.
  again() {
    if (!this.caption.hidden) this.say();
  }

  draw(now) {
    if (!this.app.net || !this.app.idle.nobody) return;
    if (now >= this.due) this.turn(now);
    else if (!this.caption.hidden && now - this.followed > FOLLOW_MS) {
      this.followed = now;
      putRing(this.frame, this.narrative?.here.ring);
    }
  }

  turn(now) {
    this.due = now + TURN_MS;
    if (this.narrative) this.narrative.round();
    else this.narrative = new Narrative(placesOf(this.app.net, this.app.mayChange));
    const { here } = this.narrative;
    this.say();
    this.caption.hidden = false;
    document.body.classList.add("alone");
    if (here.view === "neuron") this.app.surprise();
    else openPlace(this.app, here);
    this.followed = now;
    putRing(this.frame, here.ring, true);
  }

  say() {
    const { id, done } = this.narrative.here;
    const nodes = [el("b", "", t(`walk.${id}.title`)), el("span", "", t(`walk.${id}.text`))];
    if (done) nodes.push(el("span", "try", t(`walk.${id}.try`)));
    this.caption.replaceChildren(...nodes);
  }
}

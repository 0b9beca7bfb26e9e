// Whether somebody is there. A screen in a room, or a walk that was left open, asks after a while, and then all is as at first;
// a page that somebody merely watches stays as it is.

import { t } from "../lib/language.js";
import { Presence } from "../lib/narrative.js";

export class Idle {
  constructor(app, node) {
    this.app = app;
    this.node = node;
    this.text = node.querySelector("p");
    this.presence = new Presence(performance.now() / 1000);
    for (const kind of ["pointerdown", "keydown", "wheel", "pointermove"]) {
      addEventListener(kind, (event) => this.touched(event), { capture: true, passive: true });
    }
  }

  get nobody() {
    return this.presence.fresh;
  }

  touched(event) {
    if (!event.isTrusted) return;
    // A mouse that is pushed is nobody yet; one that is moved by somebody keeps him here.
    if (event.type === "pointermove" && this.nobody) return;
    this.touch();
    const { kiosk } = this.app;
    if (!kiosk) return;
    kiosk.rest();
    if (event.type === "pointerdown" && !document.fullscreenElement) document.documentElement.requestFullscreen?.().catch(() => {});
  }

  touch() {
    this.presence.touch(performance.now() / 1000);
    this.node.hidden = true;
  }

  watch() {
    const { app, node, text, presence } = this;
    if (!app.welcome || (!app.kiosk && !app.walk.open)) return;
    const now = performance.now() / 1000;
    const state = presence.state(now);
    node.hidden = state !== "asked";
    if (state === "asked") {
      const words = t("asked", { seconds: presence.left(now) });
      if (text.textContent !== words) text.textContent = words;
    } else if (state === "gone") app.asAtFirst();
  }
}

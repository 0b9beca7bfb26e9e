// The explorer: a path of pages, each a card and a board. Everything shown and heard is computed here, in the visitor's browser.

import { loadPalette } from "../lib/colour.js";
import { el } from "../lib/dom.js";
import { LANGUAGES, load, preferred } from "../lib/language.js";
import { Narrative, Presence } from "../lib/narrative.js";
import { Voice } from "../lib/voice.js";
import { Why } from "../lib/why.js";
import { resized } from "./draw.js";
import { servedBy } from "./jam.js";
import { around, button, legend, press } from "./parts.js";
import { PATHS, PLACES } from "./places.js";

const $ = (id) => document.getElementById(id);
const UNTOUCHED_S = 8; // after so long a page plays by itself
const ASLEEP_MS = 2000; // after so long a browser has begun to sound, if it ever will
const WOKEN_MS = 700; // the touch that wakes the sound, on its own button too, ends so soon
const ATTRACT_S = 24; // with nobody there, from page to page

const kept = {
  get: () => {
    try {
      return JSON.parse(localStorage.getItem("algoritmo.explore") ?? "null");
    } catch {
      return null; // private windows keep nothing
    }
  },
  set: (value) => {
    try {
      localStorage.setItem("algoritmo.explore", JSON.stringify(value));
    } catch {
      // as above
    }
  },
};

class Explorer {
  constructor() {
    this.query = new URLSearchParams(location.search);
    this.kiosk = this.query.has("kiosk");
    this.pseudo = this.query.has("pseudo");
    this.reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.voice = new Voice();
    this.narrative = new Narrative(PLACES, kept);
    this.presence = new Presence(performance.now() / 1000);
    this.page = null;
    this.kept = {}; // what a visitor made, for when he comes back to its page or changes the language
    this.touchedPage = -Infinity;
    this.opened = 0;
    this.woken = -Infinity; // ms
    this.silent = false; // this browser has no sound at all
    document.body.classList.toggle("kiosk", this.kiosk);
    document.documentElement.classList.toggle("far", this.kiosk);
    around.why = new Why($("why"));
    around.tell = (text) => ($("heard").textContent = text);
  }

  t(key, values) {
    return this.texts.say(key, values);
  }

  /** Tell whoever cannot see, and whoever can, what has just happened. */
  say(key, values) {
    const text = this.t(key, values);
    if ($("said").textContent !== text) $("said").textContent = text;
  }

  /** Something was done on the page; where it was what was to be done, and a visitor did it, say so. */
  happened(what) {
    if (this.touchedPage === -Infinity || !this.narrative.happened(what)) return;
    this.say(`${this.narrative.here.id}.done`);
    $("task").classList.add("done");
    this.showPlaces();
  }

  async start() {
    const language = preferred(location.search, this.chosen(), navigator.languages);
    const texts = this.fetchTexts(language);
    [this.served] = await Promise.all([servedBy(), loadPalette(), texts]);
    await this.speak(language, texts);
    for (const kind of ["pointerdown", "keydown", "wheel", "touchstart", "input", "click"]) {
      addEventListener(kind, (event) => this.touched(event), { capture: true, passive: true });
    }
    addEventListener("pointermove", () => !this.presence.fresh && this.present(), { passive: true });
    addEventListener("resize", () => resized());
    // A page in the background is not one that somebody has left; on a stand it is.
    document.addEventListener("visibilitychange", () => !document.hidden && !this.kiosk && !this.presence.fresh && this.present());
    addEventListener("hashchange", () => this.follow());
    $("asked-here").addEventListener("click", () => this.present());
    $("skip").addEventListener("click", (event) => {
      event.preventDefault(); // the address names the page
      $("board").focus();
    });
    document.addEventListener("keydown", (event) => this.key(event));
    this.follow();
    requestAnimationFrame((now) => this.frame(now));
  }

  chosen() {
    try {
      return sessionStorage.getItem("algoritmo.language");
    } catch {
      return null;
    }
  }

  fetchTexts(language) {
    return load(language, new URL("texts/", import.meta.url), this.pseudo);
  }

  async speak(language, texts = this.fetchTexts(language)) {
    this.texts = await texts;
    document.documentElement.lang = language;
    around.notes = this.t("notes").split(" ").slice(0, 12);
    $("name").textContent = this.t("explore");
    $("skip").textContent = this.t("skip");
    $("board").setAttribute("aria-label", this.t("board"));
    $("asked-here").textContent = this.t("here");
    const teachers = el("a", "", this.t("teachers"));
    teachers.href = `teachers.html?lang=${language}`;
    const stage = el("a", "", this.t("stage"));
    stage.href = `../?lang=${language}`;
    $("more").replaceChildren(...(this.served.jam ? [stage] : []), teachers);
    this.showSettings();
  }

  async choose(language) {
    try {
      sessionStorage.setItem("algoritmo.language", language);
    } catch {
      // the choice lasts as long as the page
    }
    await this.speak(language);
    this.open();
  }

  /** Somebody is there. */
  present() {
    this.presence.touch(performance.now() / 1000);
    $("asked").hidden = true;
  }

  touched(event) {
    this.present();
    if (event.type === "pointerdown") around.why.hide();
    const typed = event.type === "keydown" && event.target === document.body && !/^(Tab|Arrow(Left|Right))$/.test(event.key);
    if (typed || event.target.closest?.("#board")) this.touchedPage = performance.now() / 1000;
    if (event.type !== "wheel" && this.voice.asleep) this.wake();
  }

  /** Begin to sound; where nothing can be heard a moment later, say why, once. */
  wake() {
    this.woken = performance.now();
    this.silent = !this.voice.wake();
    if (this.waking !== undefined) return;
    this.waking = setTimeout(() => {
      if (this.silent) this.say("sound.none");
      else if (this.voice.asleep) {
        this.say("sound.asleep");
        this.waking = undefined; // the next touch is a new try
      }
    }, this.silent ? 0 : ASLEEP_MS);
  }

  /** What the button for the sound says: that it is on or off, or that the page has to be touched first. */
  showSound() {
    const text = this.t(this.voice.asleep && !this.silent && !this.voice.muted ? "sound.touch" : "sound");
    if (this.sound.textContent !== text) this.sound.textContent = text;
  }

  key(event) {
    if (event.target.closest?.("input, select, .keys, .pads")) return;
    if (event.key === "ArrowRight") this.move(1);
    else if (event.key === "ArrowLeft") this.move(-1);
    else this.page?.key?.(event);
  }

  move(by) {
    this.narrative.go(this.narrative.at + by);
    location.hash = this.narrative.here.id;
  }

  follow() {
    const id = location.hash.slice(1);
    if (id) this.narrative.goTo(id);
    this.open();
  }

  open() {
    this.page?.leave?.();
    const { id, create } = this.narrative.here;
    const at = this.narrative.places.findIndex((place) => place.id === id);
    $("number").textContent = this.t("place", { number: at + 1, count: this.narrative.places.length });
    document.title = `Algoritmo: ${this.t(`${id}.title`)}`;
    for (const part of ["title", "text", "try", "myth"]) $(part).textContent = this.t(`${id}.${part}`);
    $("said").textContent = "";
    around.why.hide();
    around.tell(`${this.t(`${id}.title`)}. ${this.t(`${id}.try`)}`);
    $("task").classList.toggle("done", this.narrative.isDone(id));
    this.opened = performance.now() / 1000;
    this.touchedPage = -Infinity;
    try {
      this.page = create(this);
      $("board").replaceChildren(...this.page.nodes);
      $("legend").replaceChildren(...(this.page.legend ? [legend(this.page.legend)] : []));
    } catch (error) {
      this.page = null;
      $("board").replaceChildren(el("p", "fault", this.t("fault", { reason: error.message })));
    }
    this.showPlaces();
    this.showWalk();
  }

  showPlaces() {
    const nodes = this.narrative.places.map((place, k) => {
      const done = this.narrative.isDone(place.id);
      const node = el("button", done ? "done" : "", place.number);
      const name = this.t(`${place.id}.title`);
      node.dataset.why = name;
      node.setAttribute("aria-label", `${place.number}: ${name}${done ? `, ${this.t("done")}` : ""}`);
      node.append(el("span", "sign", done ? "✓" : ""));
      if (k === this.narrative.at) node.setAttribute("aria-current", "page");
      node.addEventListener("click", () => (location.hash = place.id));
      return node;
    });
    $("places").replaceChildren(...nodes);
    $("places").setAttribute("aria-label", this.t("places"));
    const here = nodes[this.narrative.at];
    $("places").scrollLeft = here.offsetLeft - $("places").offsetLeft - $("places").clientWidth / 2;
  }

  showWalk() {
    const back = button(this.t("back"), () => this.move(-1));
    back.disabled = this.narrative.at === 0;
    const next = button(this.t("next"), () => this.move(1), { strong: true });
    next.disabled = this.narrative.last;
    $("walk").replaceChildren(back, next);
  }

  showSettings() {
    const language = el("select");
    language.setAttribute("aria-label", this.t("language"));
    for (const [code, name] of Object.entries(LANGUAGES)) {
      language.append(new Option(name, code, false, code === this.texts.language));
    }
    language.addEventListener("change", () => this.choose(language.value));
    const path = el("select");
    path.setAttribute("aria-label", this.t("path"));
    path.append(new Option(this.t("path.all"), ""));
    for (const minutes of PATHS) path.append(new Option(this.t("path.minutes", { minutes }), minutes, false, this.narrative.path === minutes));
    path.addEventListener("change", () => {
      this.narrative.choose(path.value || null);
      if (location.hash.slice(1) === this.narrative.here.id) this.open();
      else location.hash = this.narrative.here.id;
    });
    const sound = button(this.t("sound"), () => {
      if (performance.now() - this.woken < WOKEN_MS) return; // this very touch has woken it
      this.voice.mute(!this.voice.muted);
      press(sound, !this.voice.muted);
    }, { pressed: !this.voice.muted });
    sound.dataset.why = this.t("sound.why");
    this.sound = sound;
    this.showSound();
    path.dataset.why = this.t("path");
    $("settings").replaceChildren(sound, path, language);
  }

  frame(ms) {
    const now = ms / 1000;
    this.watch(now);
    this.showSound();
    const alone = now - this.touchedPage > UNTOUCHED_S;
    try {
      this.page?.frame?.(now, alone);
    } catch (error) {
      const broken = this.page;
      this.page = null;
      broken.leave?.(); // or it would go on sounding
      $("board").replaceChildren(el("p", "fault", this.t("fault", { reason: error.message })));
    }
    requestAnimationFrame((next) => this.frame(next));
  }

  /** Somebody left: ask, then begin anew; with nobody there, a kiosk shows itself. */
  watch(now) {
    const state = this.presence.state(now);
    if (state === "asked") {
      const text = this.t("asked", { seconds: this.presence.left(now) });
      if ($("asked-text").textContent !== text) $("asked-text").textContent = text;
      $("asked").hidden = false;
    } else if (state === "gone") {
      $("asked").hidden = true;
      this.restart();
    } else if (state === "nobody" && this.kiosk && now - this.opened > ATTRACT_S) {
      if (this.narrative.last) this.narrative.go(-1);
      this.move(this.narrative.last ? -this.narrative.at : 1);
      this.opened = now;
    }
  }

  async restart() {
    this.narrative.forget();
    this.voice.mute(false);
    this.kept = {};
    try {
      sessionStorage.removeItem("algoritmo.language");
    } catch {
      // nothing was kept
    }
    await this.speak(preferred(location.search, null, this.kiosk ? [] : navigator.languages));
    if (location.hash && location.hash.slice(1) !== this.narrative.here.id) location.hash = this.narrative.here.id;
    else this.open();
  }
}

new Explorer().start().then(
  () => $("dead").remove(),
  (error) => {
    const dead = $("dead");
    dead.style.animation = "none";
    dead.append(el("p", "soft", error.message));
    document.body.replaceChildren(dead);
  },
);

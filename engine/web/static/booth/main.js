// A visitor's phone: vote, draw, compose.

import { el } from "../lib/dom.js";
import { LANGUAGES, choice, load, preferred } from "../lib/language.js";
import { Compose } from "./compose.js";
import { Connection } from "./connection.js";
import { Draw } from "./draw.js";
import { voice } from "./sound.js";
import { Vote } from "./vote.js";

const $ = (id) => document.getElementById(id);
const TABS = { vote: ["♥", Vote], draw: ["✎", Draw], compose: ["▦", Compose] };
const AWAY_S = 60; // on a screen of the booth: then all is as at first

class App {
  constructor() {
    this.about = null;
    this.t = (key, values) => this.texts?.say(key, values) ?? "";
    this.query = new URLSearchParams(location.search);
    this.kiosk = this.query.has("kiosk");
    this.said = ["", {}];
  }

  async start() {
    const texts = load(preferred(location.search, choice.get(), navigator.languages), new URL("texts/", import.meta.url), this.query.has("pseudo"));
    this.connection = new Connection("booth", (message) => this.take(message));
    this.parts = Object.fromEntries(Object.entries(TABS).map(([name, [, Part]]) => [name, new Part(this)]));
    await this.speak(await texts);
    $("splash").remove();
    $("main").hidden = false;
    this.open(location.hash.slice(1));
    addEventListener("hashchange", () => this.open(location.hash.slice(1)));
    addEventListener("resize", () => this.part.draw?.());
    addEventListener("pointerdown", () => voice.asleep && voice.wake(), { capture: true });
    if (this.kiosk) this.watch();
    this.firstPictureMs = performance.now();
  }

  async speak(texts) {
    this.texts = texts;
    document.documentElement.lang = texts.language;
    $("title").textContent = "Algoritmo";
    const select = $("language");
    select.setAttribute("aria-label", this.t("language"));
    select.replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code, false, code === texts.language)));
    select.onchange = async () => {
      choice.set(select.value);
      this.speak(await load(select.value, new URL("texts/", import.meta.url)));
    };
    $("notice-title").textContent = this.t("notice.title");
    $("notice-text").textContent = this.t("notice.all");
    this.tabs();
    for (const part of Object.values(this.parts)) part.texts();
    this.say(...this.said);
  }

  tabs() {
    $("tabs").replaceChildren(
      ...Object.entries(TABS).map(([name, [sign]]) => {
        const node = el("button", name === this.tab ? "on" : "");
        node.append(el("span", "sign", sign), el("span", "", this.t(`tab.${name}`)));
        node.setAttribute("aria-pressed", name === this.tab);
        node.addEventListener("click", () => (location.hash = name));
        return node;
      }),
    );
  }

  open(name) {
    const tab = name in TABS ? name : "vote";
    if (tab === this.tab) return;
    this.part?.hide();
    this.tab = tab;
    this.part = this.parts[tab];
    $("board").replaceChildren(this.part.node);
    this.say("");
    this.tabs();
    this.part.texts();
    this.part.show();
  }

  say(key, values = {}) {
    this.said = [key, values];
    const text = key ? this.t(key, values) : "";
    if ($("said").textContent !== text) $("said").textContent = text;
  }

  take(message) {
    const { kind } = message;
    $("link").textContent = kind === "gone" ? "…" : "";
    $("link").setAttribute("aria-label", kind === "gone" ? this.t("gone") : "");
    if (kind === "hello" || kind === "generation") this.about = message;
    if (kind === "gone") return;
    if (["hello", "generation"].includes(kind)) for (const part of Object.values(this.parts)) part.take(message);
    else if (["ballot", "closed", "counted", "moved", "room"].includes(kind) || message.ballot) this.parts.vote.take(message);
    else if (kind === "drawn") this.parts.draw.take(message);
    else if (kind === "filled") this.parts.compose.take(message);
    else if (kind === "sent" || kind === "stage") {
      this.parts.draw.take(message);
      this.parts.compose.take(message);
    } else this.part?.take(message);
  }

  // A screen of the booth: after a minute without a touch it is the next visitor's.
  watch() {
    let touched = performance.now();
    for (const kind of ["pointerdown", "pointermove", "keydown"]) addEventListener(kind, () => (touched = performance.now()), { capture: true, passive: true });
    setInterval(() => {
      if (performance.now() - touched > 1000 * AWAY_S) location.replace("wall.html");
    }, 1000);
  }
}

window.booth = new App();
window.booth.start();

// The music in words: whose turn it is, key, part, and two bars that move between the steps: energy and surprise.

import { el } from "../lib/dom.js";
import { t } from "../lib/language.js";

const TURNS = ["player", "band", "both"]; // by the number that comes with the word
const MAJOR = 12; // keys below it are major
const SURE = 0.25; // a key that is less so is only guessed
const LEAST = 0.004; // a bar that moved less is left as it is
const BARS = { energy: "/smooth/energy", surprise: "/smooth/surprise" };
const PHASE = "/smooth/bar/phase";

export class Music {
  constructor(app) {
    this.app = app;
    this.words = {};
    this.places = null; // of each number among those that come
    this.values = null;
  }

  mount(dock) {
    this.root = el("div", "music");
    this.root.setAttribute("role", "group");
    this.root.hidden = true;
    dock.prepend(this.root);
  }

  hello({ smooth }) {
    this.places = smooth && new Map(smooth.signals.map(({ path }, place) => [path, place]));
    this.values = null;
    this.build();
  }

  // Every word of it anew: another network, or another language.
  build() {
    const { root } = this;
    if (!root || !this.app.net) return;
    root.hidden = !this.places;
    root.setAttribute("aria-label", t("music"));
    root.replaceChildren();
    this.turn = el("b", "turn", "–");
    this.turn.dataset.why = t("music.turn.why");
    root.append(this.turn);
    this.key = this.named("key");
    this.section = this.named("section");
    this.meters = Object.keys(BARS).map((name) => this.meter(name));
    this.show();
  }

  named(name) {
    const place = el("span", `word ${name}`);
    const said = el("b", "", "–");
    place.dataset.why = t(`music.${name}.why`);
    place.append(el("span", "soft", t(`music.${name}`)), said);
    this.root.append(place);
    return said;
  }

  meter(name) {
    const place = el("span", `word ${name}`);
    const scale = el("span", "meter");
    const fill = el("i");
    scale.setAttribute("role", "img");
    scale.append(fill);
    place.append(el("span", "soft", t(`music.${name}`)), scale);
    this.root.append(place);
    return { name, place, scale, fill, at: 0 };
  }

  take({ words }) {
    this.words = words;
    this.show();
  }

  show() {
    if (!this.turn) return;
    const { words } = this;
    const turn = TURNS[words["/music/turn"]?.[1]];
    say(this.turn, turn ? t(`music.turn.${turn}`) : "–");
    this.turn.dataset.turn = turn ?? "";
    const [name, key, sure] = words["/music/key"] ?? ["", -1, 0];
    say(this.key, key < 0 ? "–" : t(key < MAJOR ? "music.major" : "music.minor", { root: name.split(" ")[0] }));
    this.key.classList.toggle("guessed", sure < SURE);
    say(this.section, words["/music/section"]?.[0] || "–");
    for (const { name: of, place, scale } of this.meters) {
      const [value = 0] = words[`/music/${of}`] ?? [];
      const number = value.toLocaleString(this.app.language, { maximumFractionDigits: 1 });
      place.dataset.why = t(`music.${of}.why`, { number });
      scale.setAttribute("aria-label", t(`music.${of}.says`, { number }));
    }
  }

  // The numbers of a moment have come.
  move({ values }) {
    this.values = values;
  }

  // For who wants little motion the bars stand still until they are far from where they were.
  draw() {
    const { values, places, app } = this;
    if (!values || !places) return;
    this.values = null;
    const least = app.still ? 0.2 : LEAST;
    for (const meter of this.meters) {
      const at = values[places.get(BARS[meter.name])] ?? 0;
      if (Math.abs(at - meter.at) < least) continue;
      meter.at = at;
      meter.fill.style.transform = `scaleX(${at.toFixed(3)})`;
    }
    if (!app.still) app.header.move(values[places.get(PHASE)] ?? 0);
  }
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

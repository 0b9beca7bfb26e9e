// The line at the top: which network plays, who sounds, where the music is, how fast and in which mode.

import { el } from "../lib/dom.js";
import { LANGUAGES, t, word } from "../lib/language.js";
import { choiceOf } from "../lib/parameter.js";

const $ = (id) => document.getElementById(id);

export class Header {
  constructor(app) {
    this.app = app;
    this.lit = {};
    this.listening = undefined; // whether the network listens, in a mode that takes turns
    this.playing = undefined;
    this.status = {};
  }

  // Every word of it anew: another network has come, or another language.
  words() {
    const { net } = this.app;
    $("languages").replaceChildren(languages(this.app));
    if (!net) return;
    $("recorded").hidden = !net.recorded;
    $("act-controls").textContent = t(net.recorded ? "settings" : "controls");
    $("network-name").textContent = word(`network.${net.card.name}`, net.name.replace(/ network$/, "")); // there is little room beside the tabs
    document.title = `Algoritmo: ${net.name}`;
    this.explain();
    this.settings();
  }

  beat(frame) {
    const { net } = this.app;
    const { metre, bar, beat } = net.where(frame);
    $("bar").textContent = frame.step < 0 ? "–" : bar + 1;
    $("beat-in-bar").textContent = beat + 1;
    $("beat").classList.toggle("down", beat === 0);
    this.metre(metre, bar);
    $("tempo").textContent = Math.round(frame.tempo / metre.tempoBeat);
  }

  // Where in the bar it is, between two steps: a line that grows until the next bar.
  move(phase) {
    $("beat").style.setProperty("--phase", phase.toFixed(3));
  }

  // As it is written at the beginning of a staff.
  metre({ numerator, denominator, long }, bar) {
    $("metre").hidden = bar >= 999; // the bar's number needs the room
    if (this.shown === long) return;
    this.shown = long;
    $("metre").replaceChildren(el("span", "", String(numerator)), el("span", "", String(denominator)));
    $("metre").dataset.metre = long;
  }

  settings() {
    const { values, welcome } = this.app;
    const { modes = [], turns = [] } = welcome ?? {};
    const named = (mode) => choiceOf({ id: "mode" }, mode);
    const turn = (mode, listens) => t(listens ? "mode.listening" : "mode.answering", { mode: named(mode) });
    const mode = modes[Math.round(values.mode)];
    const text = this.listening === undefined || !turns.includes(mode) ? named(mode) : turn(mode, this.listening);
    const all = [...modes.map(named), ...turns.flatMap((one) => [turn(one, false), turn(one, true)]), t("stopped")];
    if (mode) inPlace($("mode-now"), this.playing === false ? t(this.waits ? "waits" : "stopped") : text, [...all, t("waits")]);
    if (values.tempo) $("tempo").textContent = Math.round(values.tempo);
  }

  // How it goes, as the engine tells twice a second.
  take(status) {
    const spared = String(this.status.spared ?? "");
    this.status = status;
    if (status.spared?.length && String(status.spared) !== spared) this.app.note(this.less());
    this.listening = status.listening;
    this.waits = status.clock?.waits;
    this.app.controls.showClock(status.clock);
    if (status.playing !== undefined && status.playing !== this.playing) {
      this.playing = status.playing;
      this.app.controls.showPlaying(status.playing);
      $("beat").classList.toggle("still", !status.playing);
    }
    this.settings();
    if (status.device_lost) this.app.note(t("note.device"));
    this.explain();
  }

  // What is done without, because the computer is short of time.
  less() {
    return t("note.less", { what: this.status.spared.map((what) => t(`spared.${what}`)).join(", ") });
  }

  explain() {
    const { step_p50_ms: ms, provider, late_steps: late } = this.status;
    const parts = [t("network.plays"), this.app.net?.card.description ?? ""];
    if (ms !== undefined) parts.push(t("network.needs", { ms, provider }));
    if (late) parts.push(t("network.late", { late }));
    if (this.status.spared?.length) parts.push(this.less());
    $("network-name").dataset.why = parts.filter(Boolean).join(" ");
  }

  // Who sounds now.
  lights({ playerSounds, networkSounds }) {
    for (const [id, on] of [["who-player", playerSounds], ["who-network", networkSounds]]) {
      if (on !== this.lit[id]) $(id).classList.toggle("on", (this.lit[id] = on));
    }
  }
}

// The languages, to be chosen from: by their names where there is room, else by their letters.
export function languages(app) {
  const box = el("div", "segments");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", t("language"));
  for (const [code, name] of Object.entries(LANGUAGES)) {
    const button = el("button");
    button.append(el("span", "long", name), el("span", "short", code.toUpperCase()));
    button.lang = code;
    button.dataset.language = code;
    button.dataset.why = name;
    button.setAttribute("aria-label", name);
    button.setAttribute("aria-pressed", String(code === app.language));
    button.onclick = () => app.choose(code);
    box.append(button);
  }
  return box;
}

// The way to the pages on what a neuron and a network are.
export function explorer(app) {
  const link = el("a", "explorer", t("explorer"));
  link.href = `/explore/?lang=${app.language}${app.kiosk ? "&kiosk" : ""}`;
  return link;
}

// A text in a place as wide as the widest of those that may stand in it.
function inPlace(node, text, all) {
  const words = [text, ...all].join("\n");
  if (node.dataset.words === words) return;
  node.dataset.words = words;
  node.classList.add("place");
  const held = all.map((one) => el("span", "held", one));
  for (const one of held) one.ariaHidden = "true";
  node.replaceChildren(el("span", "", text), ...held);
}

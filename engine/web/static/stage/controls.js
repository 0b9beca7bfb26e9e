// Everything that can be turned while it plays, made from what the engine declares now: patches and their knobs come and go.

import { trackColour } from "../lib/colour.js";
import { chip, el } from "../lib/dom.js";
import { t, word } from "../lib/language.js";
import { trackName } from "../lib/net.js";
import { choiceOf, controlOf, docOf, fromShare, nameOf, places, rounded, sorted, textOf, toShare } from "../lib/parameter.js";
import { explorer, languages } from "./header.js";
import { RackOf } from "./rack.js";

const TRANSPORT = ["start", "stop", "continue", "rewind", "tap"].map((word) => `transport.${word}`); // pause is for a pedal
const CLOCK = ["source", "range", "strength", "patience", "alone"].map((word) => `clock.${word}`);
const GROUPS = [
  ["together", ["mode", "rest", "bars", "takeover", "follow", "dynamics", "energy"]],
  ["time", ["tempo", "metre", "metronome", ...TRANSPORT, "transport.nudge", ...CLOCK]],
  ["phrases", ["more", "forget", "keep", "phrase", "loop", "fills"]],
  ["key", ["key", "scale", "opening"]],
  ["groove", ["swing", "swung", "feel", "humanise"]],
  ["choices", ["temperature", "density", "futures"]],
  ["memory", ["memory", "seed", "reset"]],
];
const FOLDED = ["key", "groove"]; // shown at once where something in them is turned
const ROWS = [["transport", TRANSPORT], ["phrases", ["more", "forget"]]]; // buttons that stand side by side
const ELSEWHERE = ["panic", "learn.place", "transport.pause"]; // stands beside the piano; for terminals; for pedals

export class Controls {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.show = {};
    this.open = new Set(); // folds that are open
    this.playing = true;
    this.track = ""; // whose controls are being built
    this.learning = false; // what is clicked is not turned: a MIDI control is to move it
    for (const kind of ["pointerdown", "mousedown", "touchstart", "click"]) {
      root.addEventListener(kind, (event) => this.learning && this.learn(event), { capture: true, passive: false });
    }
  }

  // While a MIDI control is to be learned: which parameter it is to move.
  learn(event) {
    const { app } = this;
    const near = event.target.closest("[id^='p-']") ?? event.target.closest("label.control")?.querySelector("[id^='p-']");
    const p = near && app.parameters.find(({ id }) => near.id === `p-${id}` || near.id.startsWith(`p-${id}-`));
    if (!p) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.type !== "click") return;
    this.learnMode(false);
    app.send({ learn: p.id });
    app.note(t("learn.wait", { name: this.nameOf(p.id) }));
  }

  // Where a MIDI control stands that is not followed, for it has not come to where its parameter is.
  standing({ id, at, waits }) {
    const input = document.getElementById(`p-${id}`);
    if (input?.type !== "range") return;
    const p = this.app.parameters.find((p) => p.id === id);
    input.classList.toggle("waits", waits);
    input.style.setProperty("--control", `${100 * at}%`);
    if (waits) input.dataset.waits = t("control.waits", { at: textOf(p, fromShare(p, at)) });
    else delete input.dataset.waits;
    const row = input.closest(".control");
    if (row) row.dataset.why = waits ? input.dataset.waits : docOf(p, this.track);
  }

  learnMode(on) {
    this.learning = on;
    this.root.classList.toggle("learning", on);
    document.getElementById("learn")?.setAttribute("aria-pressed", String(on));
  }

  // One was learned, from here or anywhere.
  learned({ id, port, control, before }) {
    const names = { port, control, name: this.nameOf(id), before: before && this.nameOf(before) };
    this.app.note(t(before ? "learn.instead" : "learn.done", names));
  }

  nameOf(id) {
    const p = this.app.parameters.find((p) => p.id === id);
    return p && !id.includes(".") ? nameOf(p) : id;
  }

  // `parameters` as the engine describes them, `values` by id.
  build(parameters, values) {
    const { root, app } = this;
    const focus = document.activeElement?.id;
    const scroll = root.scrollTop;
    this.show = {};
    this.racks = [];
    root.replaceChildren();
    const head = el("div", "controls-head");
    head.append(el("h2", "", t(app.net.recorded ? "settings" : "controls")));
    const close = el("button", "quiet", t("close"));
    close.id = "controls-close";
    close.onclick = () => app.toggleControls(false);
    head.append(close);
    const speaks = el("div", "languages");
    speaks.append(languages(app));
    root.append(head, speaks, explorer(app));
    if (app.mayChange) {
      const learn = chip(t("learn"), t("learn.why"), () => {
        this.learnMode(!this.learning);
        if (this.learning) app.note(t("learn.choose"));
        else app.send({ learn: "" });
      }, "learn");
      root.append(learn);
      this.learnMode(this.learning);
    } else {
      root.append(el("p", "soft", t(app.net.recorded ? "controls.recorded" : "controls.watching")));
    }
    const names = ["player", ...app.net.tracks.map((t) => t.name)];
    const { groups, strips, rest } = sorted(parameters, [...new Set(names)], GROUPS, ELSEWHERE);
    for (const [title, list] of groups) {
      if (!list.length) continue;
      if (FOLDED.includes(title)) {
        if (list.some((p) => (values[p.id] ?? p.default) !== p.default)) this.open.add(title);
        this.group("", [this.fold(title, t(`group.${title}`), this.controlsOf(list))]);
      } else this.group(t(`group.${title}`), this.controlsOf(list));
    }
    this.group(t("group.sound"), strips.map((strip) => this.strip(strip)));
    const shared = (app.rack?.where ?? []).filter((where) => /^(send\d|master)$/.test(where));
    if (shared.length && !app.net.recorded) this.group("", [this.fold("rack", t("rack.shared"), shared.flatMap((where) => this.sharedRack(where)))]);
    if (rest.length) this.group("", [this.fold("rest", t("more"), this.controlsOf(rest))]);
    this.update(values);
    this.showRack();
    this.showPlaying(this.playing);
    root.scrollTop = scroll;
    if (focus?.startsWith("p-")) document.getElementById(focus)?.focus();
  }

  // What one row takes several of: buttons stand side by side.
  controlsOf(list) {
    const rows = [];
    for (const [name, ids] of ROWS) {
      const buttons = list.filter((p) => ids.includes(p.id));
      if (!buttons.length) continue;
      const row = el("div", "transport");
      row.setAttribute("role", "group");
      row.setAttribute("aria-label", t(name === "transport" ? name : `group.${name}`));
      for (const p of buttons) row.append(this.trigger(p));
      rows.push(row);
      list = list.filter((p) => !ids.includes(p.id));
    }
    for (const p of list) {
      rows.push(this.control(p));
      if (p.id !== "clock.source") continue;
      const state = el("p", "soft");
      state.id = "clock-state";
      state.setAttribute("role", "status");
      state.hidden = true;
      rows.push(state);
    }
    return rows;
  }

  // How it is with a clock from outside: below the choice of where the beat comes from.
  showClock(clock) {
    const place = document.getElementById("clock-state");
    if (!place) return;
    place.hidden = !clock || clock.there === undefined;
    if (place.hidden) return;
    const { locked, there, peers, jitter_ms: jitter, offset_ms: off, source } = clock;
    const parts = [t(locked ? "clock.locked" : there ? "clock.waits" : "clock.gone")];
    if (locked && source !== "midi") parts.push(t(source === "link" ? "clock.peers" : "clock.decks", { peers }));
    if (locked && off !== null) parts.push(t("clock.off", { ms: off.toFixed(1) }));
    if (locked) parts.push(t("clock.jitter", { ms: jitter.toFixed(1) }));
    place.textContent = parts.join(", ");
    place.classList.toggle("strong", !locked);
  }

  // Which of start and stop holds.
  showPlaying(playing) {
    this.playing = playing;
    for (const [id, on] of [["transport.start", playing], ["transport.stop", !playing]]) {
      document.getElementById(`p-${id}`)?.setAttribute("aria-pressed", String(on));
    }
  }

  group(title, nodes) {
    if (!nodes.length) return;
    const box = el("section", "group");
    if (title) box.append(el("h3", "", title));
    box.append(...nodes);
    this.root.append(box);
  }

  fold(key, title, nodes) {
    const box = el("details", "fold");
    const summary = el("summary", "soft", title);
    box.append(summary, ...nodes);
    box.open = this.open.has(key);
    box.ontoggle = () => (box.open ? this.open.add(key) : this.open.delete(key));
    return box;
  }

  send(id, value) {
    this.app.values[id] = value;
    this.app.send({ set: { [id]: value } });
    this.show[id]?.(value);
  }

  control(p, text) {
    const made = { choice: "choice", list: "list", trigger: "trigger", switch: "toggle", number: "number", slider: "slider" };
    return this[made[controlOf(p)]](p, text);
  }

  // What a control is called for who does not see where it stands: of a track with its name.
  called(p, text) {
    const name = text ?? nameOf(p);
    return this.track ? t("knob.of", { knob: name, track: this.track }) : name;
  }

  row(p, text) {
    const row = el("label", "control");
    row.dataset.why = docOf(p, this.track);
    row.append(el("span", "name", text ?? nameOf(p)));
    return row;
  }

  slider(p, text, row = this.row(p, text)) {
    const input = el("input");
    input.type = "range";
    input.min = 0;
    input.max = places(p);
    input.step = 1;
    input.id = `p-${p.id}`;
    input.disabled = !this.app.mayChange;
    input.setAttribute("aria-label", `${this.called(p, text)}: ${docOf(p, this.track)}`);
    const value = el("output", "number");
    input.oninput = () => this.send(p.id, rounded(p, fromShare(p, Number(input.value) / places(p))));
    input.ondblclick = () => this.send(p.id, p.default);
    if (p.id === "transport.nudge") input.onchange = () => this.send(p.id, 0); // held, and let go
    row.append(input, value);
    this.show[p.id] = (v) => {
      const share = toShare(p, v);
      if (document.activeElement !== input || !input.matches(":active")) input.value = Math.round(share * places(p));
      value.textContent = textOf(p, v);
      input.style.setProperty("--at", `${100 * share}%`);
      input.setAttribute("aria-valuetext", value.textContent);
    };
    return row;
  }

  number(p, text) {
    const row = this.row(p, text);
    const input = el("input");
    input.type = "number";
    input.min = p.min;
    input.max = p.max;
    input.id = `p-${p.id}`;
    input.disabled = !this.app.mayChange;
    input.onchange = () => input.value !== "" && this.send(p.id, Number(input.value));
    row.append(input);
    this.show[p.id] = (v) => {
      if (document.activeElement !== input) input.value = v;
    };
    return row;
  }

  // `name`: what it is called for who does not see where it stands.
  toggle(p, label = nameOf(p), name = this.called(p, label)) {
    const button = chip(label, docOf(p, this.track), () => this.send(p.id, this.app.values[p.id] ? 0 : 1), `p-${p.id}`);
    button.setAttribute("aria-label", name);
    button.disabled = !this.app.mayChange;
    this.show[p.id] = (v) => button.setAttribute("aria-pressed", String(Boolean(v)));
    return button;
  }

  trigger(p, label = nameOf(p)) {
    const button = chip(label, docOf(p, this.track), () => this.app.send({ fire: p.id }), `p-${p.id}`);
    button.disabled = !this.app.mayChange;
    return button;
  }

  choice(p, text) {
    const box = el("div", "segments");
    box.setAttribute("role", "radiogroup");
    box.setAttribute("aria-label", this.called(p, text));
    const docs = Object.fromEntries(p.doc.split(";").map((part) => part.split(":").map((s) => s.trim())));
    const buttons = p.choices.map((choice, k) => {
      const button = el("button", "", choiceOf(p, choice));
      button.id = `p-${p.id}-${choice}`;
      button.setAttribute("role", "radio");
      button.disabled = !this.app.mayChange;
      button.dataset.why = docs[choice] ? word(`doc.${p.id}.${choice}`, `${choice}: ${docs[choice]}.`) : docOf(p, this.track);
      button.onclick = () => this.send(p.id, k);
      box.append(button);
      return button;
    });
    this.show[p.id] = (v) => buttons.forEach((b, k) => b.setAttribute("aria-checked", String(k === Math.round(v))));
    return box;
  }

  list(p, text) {
    const row = this.row(p, text);
    const select = el("select");
    select.id = `p-${p.id}`;
    select.disabled = !this.app.mayChange;
    select.setAttribute("aria-label", `${this.called(p, text)}: ${docOf(p, this.track)}`);
    p.choices.forEach((choice, k) => {
      const option = el("option", "", choiceOf(p, choice));
      option.value = k;
      select.append(option);
    });
    select.onchange = () => this.send(p.id, Number(select.value));
    row.append(select);
    this.show[p.id] = (v) => (select.value = String(Math.round(v)));
    return row;
  }

  // A track or the player: how loud, silent, alone or played by the musician at once; where it stands, what it sounds like and its knobs in a fold.
  strip({ name, level, mute, solo, punch, fold }) {
    const box = el("div", "strip-of");
    const track = this.app.net.tracks.find((t) => t.name === name);
    const said = track ? trackName(track) : t("you");
    this.track = said;
    const row = el("div", "control mix");
    const title = el("span", "name", said);
    if (track) title.style.color = trackColour(track);
    box.style.setProperty("--track", track ? trackColour(track) : "var(--player)");
    row.append(title);
    if (level) {
      row.dataset.why = docOf(level, said);
      this.slider(level, t("knob.level"), row);
    }
    if (mute) row.append(this.toggle(mute, t("mute"), t("mute.of", { track: said })));
    if (solo) row.append(this.toggle(solo, t("solo"), t("solo.of", { track: said })));
    if (punch) row.append(this.toggle(punch, t("punch"), t("punch.of", { track: said })));
    box.append(row);
    if (fold.length) {
      const nodes = fold.map((p) => this.control(p, knobName(p.id.slice(name.length + 1))));
      if (!this.app.net.recorded) nodes.push(this.rack(name, said));
      box.append(this.fold(name, track ? t("sound.of", { track: said }) : t("sound.yours"), nodes));
    }
    this.track = "";
    return box;
  }

  // What something goes through.
  rack(where, said) {
    const rack = new RackOf(this.app, where, said);
    this.racks.push(rack);
    return rack.box;
  }

  sharedRack(where) {
    return [el("h4", "soft", t(`rack.${where}`)), this.rack(where, t(`rack.${where}`))];
  }

  showRack() {
    for (const rack of this.racks) rack.show(this.app.rack);
  }

  update(values) {
    for (const [id, value] of Object.entries(values)) this.show[id]?.(value);
  }

  focus(id) {
    (document.getElementById(`p-${id}`) ?? this.root.querySelector(`[id^="p-${id}-"]`))?.focus();
  }
}

function knobName(knob) {
  return word(`knob.${knob}`, knob.replace(/[._]/g, " "));
}

// Everything that can be turned while it plays, made from what the engine declares now: patches and their knobs come and go.

import { trackColour } from "../lib/colour.js";
import { chip, el } from "../lib/dom.js";
import { controlOf, fromShare, places, rounded, sorted, textOf, toShare } from "../lib/parameter.js";

const TRANSPORT = [
  ["transport.start", "start"],
  ["transport.stop", "stop"],
  ["transport.continue", "continue"],
  ["transport.rewind", "bar 1"],
  ["transport.tap", "tap"],
];
const GROUPS = [
  ["Together", ["mode", "rest", "bars"]],
  ["Time", ["tempo", "metronome", ...TRANSPORT.map(([id]) => id), "transport.nudge"]],
  ["Choices", ["temperature", "density", "futures"]],
  ["Memory", ["memory", "seed", "reset"]],
];
const ELSEWHERE = ["panic"]; // stands beside the piano
const NAMES = {
  rest: "waits for", bars: "turns of", futures: "looks ahead", seed: "continuation", reset: "forget everything",
  "transport.nudge": "push or pull",
};

export class Controls {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.show = {};
    this.open = new Set(); // folds that are open
    this.playing = true;
  }

  // `parameters` as the engine describes them, `values` by id.
  build(parameters, values) {
    const { root, app } = this;
    const focus = document.activeElement?.id;
    const scroll = root.scrollTop;
    this.show = {};
    root.replaceChildren();
    const head = el("div", "controls-head");
    head.append(el("h2", "", app.net.recorded ? "Settings" : "Controls"));
    const close = el("button", "quiet", "Close");
    close.onclick = () => app.toggleControls(false);
    head.append(close);
    root.append(head);
    if (!app.mayChange) {
      root.append(el("p", "soft", app.net.recorded
        ? "Recorded: these show what is known of how it was set, and turn nothing."
        : "You are watching: these show what is set. Whoever runs the stage has the address that lets you change them."));
    }
    const names = ["player", ...app.net.tracks.map((t) => t.name)];
    const { groups, strips, rest } = sorted(parameters, [...new Set(names)], GROUPS, ELSEWHERE);
    for (const [title, list] of groups) this.group(title, this.controlsOf(list));
    this.group("Sound", strips.map((strip) => this.strip(strip)));
    if (rest.length) this.group("", [this.fold("rest", "More", this.controlsOf(rest))]);
    this.update(values);
    this.showPlaying(this.playing);
    root.scrollTop = scroll;
    if (focus?.startsWith("p-")) document.getElementById(focus)?.focus();
  }

  // What one row takes several of: the transport's buttons stand side by side.
  controlsOf(list) {
    const words = new Map(TRANSPORT);
    const buttons = list.filter((p) => words.has(p.id));
    const out = list.filter((p) => !words.has(p.id)).map((p) => this.control(p));
    if (!buttons.length) return out;
    const row = el("div", "transport");
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Transport");
    for (const p of buttons) row.append(this.trigger(p, words.get(p.id)));
    return [row, ...out];
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

  row(p, text) {
    const row = el("label", "control");
    row.dataset.why = `${p.doc}.`;
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
    input.setAttribute("aria-label", `${NAMES[p.id] ?? p.id}: ${p.doc}`);
    const value = el("output", "number");
    input.oninput = () => this.send(p.id, rounded(p, fromShare(p, Number(input.value) / places(p))));
    input.ondblclick = () => this.send(p.id, p.default);
    if (p.id === "transport.nudge") input.onchange = () => this.send(p.id, 0); // held, and let go
    row.append(input, value);
    this.show[p.id] = (v) => {
      const share = toShare(p, v);
      if (document.activeElement !== input || !input.matches(":active")) input.value = Math.round(share * places(p));
      value.textContent = p.id === "bars" && v === 0 ? "any length" : textOf(p, v);
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
  toggle(p, label = nameOf(p), name = label) {
    const button = chip(label, `${p.doc}.`, () => this.send(p.id, this.app.values[p.id] ? 0 : 1), `p-${p.id}`);
    button.setAttribute("aria-label", name);
    button.disabled = !this.app.mayChange;
    this.show[p.id] = (v) => button.setAttribute("aria-pressed", String(Boolean(v)));
    return button;
  }

  trigger(p, label = nameOf(p)) {
    const button = chip(label, `${p.doc}.`, () => this.app.send({ fire: p.id }), `p-${p.id}`);
    button.disabled = !this.app.mayChange;
    return button;
  }

  choice(p) {
    const box = el("div", "segments");
    box.setAttribute("role", "radiogroup");
    box.setAttribute("aria-label", p.id);
    const docs = Object.fromEntries(p.doc.split(";").map((part) => part.split(":").map((s) => s.trim())));
    const buttons = p.choices.map((word, k) => {
      const button = el("button", "", word);
      button.id = `p-${p.id}-${word}`;
      button.setAttribute("role", "radio");
      button.disabled = !this.app.mayChange;
      button.dataset.why = docs[word] ? `${word}: it ${docs[word]}.` : `${p.doc}.`;
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
    select.setAttribute("aria-label", `${p.id}: ${p.doc}`);
    p.choices.forEach((word, k) => {
      const option = el("option", "", word);
      option.value = k;
      select.append(option);
    });
    select.onchange = () => this.send(p.id, Number(select.value));
    row.append(select);
    this.show[p.id] = (v) => (select.value = String(Math.round(v)));
    return row;
  }

  // A track or the player: how loud, silent or alone at once; where it stands, what it sounds like and its knobs in a fold.
  strip({ name, level, mute, solo, fold }) {
    const box = el("div", "strip-of");
    const track = this.app.net.tracks.find((t) => t.name === name);
    const said = track ? name : "you";
    const row = el("div", "control mix");
    const title = el("span", "name", said);
    if (track) title.style.color = trackColour(track);
    box.style.setProperty("--track", track ? trackColour(track) : "var(--player)");
    row.append(title);
    if (level) {
      row.dataset.why = `${level.doc}.`;
      this.slider(level, "", row);
    }
    if (mute) row.append(this.toggle(mute, "mute", `mute ${name}`));
    if (solo) row.append(this.toggle(solo, "solo", `solo ${name}`));
    box.append(row);
    if (fold.length) {
      const nodes = fold.map((p) => this.control(p, p.id.slice(name.length + 1)));
      box.append(this.fold(name, track ? `sound of ${name}` : "your sound", nodes));
    }
    return box;
  }

  update(values) {
    for (const [id, value] of Object.entries(values)) this.show[id]?.(value);
  }

  focus(id) {
    (document.getElementById(`p-${id}`) ?? this.root.querySelector(`[id^="p-${id}-"]`))?.focus();
  }
}

function nameOf(p) {
  return NAMES[p.id] ?? p.id;
}

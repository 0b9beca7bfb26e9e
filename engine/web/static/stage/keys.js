// Playing from the page: the piano drawn here, the computer's keyboard, and MIDI keyboards plugged into it.

import { chip, el } from "../lib/dom.js";
import { t } from "../lib/language.js";
import { PLAYER, pitchName } from "../lib/net.js";
import { CODES, pianoKeys, velocityAt } from "../lib/piano.js";

const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const KINDS = { off: 0, on: 1, allOff: 2 };
const VELOCITY = 92;

export class Keys {
  constructor(app) {
    this.app = app;
    this.first = this.base = 60; // pitch of the A key
    this.down = new Map(); // what holds a pitch here: pitch -> number of holders
    this.heard = new Map(); // track -> Map(pitch -> {beat, velocity}): what sounds, from anywhere
    this.codes = new Map(); // key of the computer -> pitch it holds
    addEventListener("keydown", (event) => this.computerKey(event, true));
    addEventListener("keyup", (event) => this.computerKey(event, false));
    addEventListener("blur", () => this.releaseAll());
    document.addEventListener("visibilitychange", () => document.hidden && this.releaseAll());
  }

  press(pitch, velocity = VELOCITY) {
    if (!this.app.mayChange || pitch < 0 || pitch > 127) return;
    const holders = this.down.get(pitch) ?? 0;
    this.down.set(pitch, holders + 1);
    if (holders === 0) this.app.send({ midi: [NOTE_ON, pitch, velocity] });
    this.app.happened("played");
    this.light();
  }

  release(pitch) {
    const holders = this.down.get(pitch);
    if (!holders) return;
    if (holders > 1) this.down.set(pitch, holders - 1);
    else {
      this.down.delete(pitch);
      this.app.send({ midi: [NOTE_OFF, pitch, 0] });
    }
    this.light();
  }

  releaseAll() {
    for (const pitch of [...this.down.keys()]) {
      this.down.set(pitch, 1);
      this.release(pitch);
    }
    this.codes.clear();
  }

  computerKey(event, on) {
    if (event.target instanceof HTMLInputElement && event.target.type !== "range") return;
    if (!on) {
      const pitch = this.codes.get(event.code);
      if (pitch === undefined) return;
      this.codes.delete(event.code);
      this.release(pitch);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.repeat) return;
    if (event.code === "KeyZ") this.move(-12);
    else if (event.code === "KeyX") this.move(12);
    else {
      const at = CODES.indexOf(event.code);
      if (at < 0 || this.codes.has(event.code)) return;
      this.codes.set(event.code, this.base + at);
      this.press(this.base + at);
    }
    event.preventDefault();
  }

  move(by) {
    this.base = Math.min(Math.max(this.base + by, 24), 96);
    this.build();
  }

  // Events of what began or ended to sound, from the engine.
  hear({ events, lost }) {
    if (lost) this.heard.clear();
    for (const { kind, track, pitch, velocity, beat } of events) {
      if (kind === KINDS.allOff) {
        // The player's number means every track of the network.
        for (const one of [...this.heard.keys()]) if (track === PLAYER ? one !== PLAYER : one === track) this.heard.delete(one);
        continue;
      }
      if (kind !== KINDS.on && kind !== KINDS.off) continue;
      if (!this.heard.has(track)) this.heard.set(track, new Map());
      if (kind === KINDS.on) this.heard.get(track).set(pitch, { beat, velocity });
      else this.heard.get(track).delete(pitch);
    }
    this.light();
  }

  sounding(track) {
    return this.heard.get(track) ?? new Map();
  }

  get playerSounds() {
    return this.sounding(PLAYER).size > 0 || this.down.size > 0;
  }

  get networkSounds() {
    for (const [track, notes] of this.heard) if (track !== PLAYER && notes.size) return true;
    return false;
  }

  mount(dock) {
    this.dock = dock;
    this.tools = el("div", "dock-tools");
    this.piano = el("div", "piano");
    this.piano.setAttribute("role", "group");
    this.piano.setAttribute("aria-label", t("piano"));
    dock.append(this.tools, this.piano);
    this.fingers = new Map();
    const pitchAt = (event) => {
      const on = document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-pitch]");
      return on && this.piano.contains(on) ? on : null;
    };
    this.piano.addEventListener("pointerdown", (event) => {
      const key = pitchAt(event);
      if (!key) return;
      event.preventDefault();
      this.piano.setPointerCapture(event.pointerId);
      this.finger(event, key);
    });
    this.piano.addEventListener("pointermove", (event) => {
      if (this.fingers.has(event.pointerId)) this.finger(event, pitchAt(event));
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.piano.addEventListener(end, (event) => this.finger(event, null, true));
    }
    this.piano.addEventListener("keydown", (event) => {
      const pitch = Number(event.target.dataset?.pitch);
      if ((event.key === "Enter" || event.key === " ") && !event.repeat && pitch) {
        event.preventDefault();
        this.press(pitch);
        event.target.addEventListener("keyup", () => this.release(pitch), { once: true });
      }
    });
    new ResizeObserver(() => this.build()).observe(dock);
  }

  // A finger or the mouse moves onto a key; lower on the key is louder.
  finger(event, key, end = false) {
    const before = this.fingers.get(event.pointerId);
    const pitch = key ? Number(key.dataset.pitch) : null;
    if (pitch !== null && pitch === before) return;
    if (before !== undefined && before !== null) this.release(before);
    if (pitch !== null) {
      const box = key.getBoundingClientRect();
      this.press(pitch, velocityAt((event.clientY - box.top) / box.height));
    }
    if (end) this.fingers.delete(event.pointerId);
    else this.fingers.set(event.pointerId, pitch);
  }

  build() {
    const { piano, app } = this;
    if (!piano) return;
    const list = pianoKeys(this.base, piano.clientWidth, innerWidth < 700 ? 34 : 30);
    const key = `${list[0].pitch} ${list.length} ${app.mayChange}`;
    if (this.built === key) return;
    this.built = key;
    this.keys = new Map();
    piano.replaceChildren();
    piano.setAttribute("aria-label", t(app.mayChange ? "piano" : "piano.shows"));
    for (const { pitch, black, left, width, letter } of list) {
      const node = el("button", black ? "black" : "white");
      node.dataset.pitch = pitch;
      node.disabled = !app.mayChange;
      node.tabIndex = pitch === this.base ? 0 : -1;
      node.setAttribute("aria-label", pitchName(pitch));
      if (letter && app.mayChange) node.append(el("kbd", "", letter));
      if (pitch % 12 === 0) node.append(el("span", "octave", pitchName(pitch)));
      if (black) node.style.left = `${100 * left}%`;
      node.style.width = `${100 * width}%`;
      piano.append(node);
      this.keys.set(pitch, node);
    }
    this.buildTools();
    this.light();
  }

  buildTools() {
    const { tools, app } = this;
    const words = el("p", "soft", "");
    tools.replaceChildren(words);
    if (!app.mayChange) {
      words.textContent = t(app.net?.recorded ? "dock.recorded" : "dock.watching");
      app.sound.addButton(tools);
      return;
    }
    words.textContent = t(matchMedia("(pointer: coarse)").matches ? "dock.touch" : "dock.click");
    tools.append(
      chip(t("octave.down"), t("octave.down.why"), () => this.move(-12)),
      chip(t("octave.up"), t("octave.up.why"), () => this.move(12)),
    );
    if (navigator.requestMIDIAccess) {
      const midi = chip(this.midiName ?? t("midi"), t("midi.why"), () => this.openMidi(), "midi");
      midi.setAttribute("aria-pressed", String(Boolean(this.midiName)));
      tools.append(midi);
    }
    app.sound.addButton(tools);
    const panic = chip(t("panic"), t("panic.why"), () => app.send({ fire: "panic" }), "panic");
    panic.classList.add("panic");
    tools.append(panic);
  }

  light() {
    if (!this.keys) return;
    const mine = this.sounding(PLAYER);
    const network = new Set();
    const { net } = this.app;
    for (const [track, notes] of this.heard) {
      if (track === PLAYER || net?.tracks[track]?.kind === "drums") continue;
      for (const pitch of notes.keys()) network.add(pitch);
    }
    for (const [pitch, node] of this.keys) {
      node.classList.toggle("mine", mine.has(pitch) || this.down.has(pitch));
      node.classList.toggle("theirs", network.has(pitch));
    }
  }

  async openMidi() {
    try {
      const access = await navigator.requestMIDIAccess();
      const listen = () => {
        const names = [];
        for (const input of access.inputs.values()) {
          names.push(input.name);
          input.onmidimessage = ({ data }) => this.midi(data);
        }
        this.midiName = names.length ? names.join(", ") : null;
        this.app.note(names.length ? t("note.midi", { names: names.join(", ") }) : t("note.midi.none"));
        this.buildTools();
      };
      access.onstatechange = listen;
      listen();
    } catch (error) {
      this.app.note(t("note.midi.refused", { reason: error.message }));
    }
  }

  midi(data) {
    if (data.length >= 2 && data[0] < 0xf0 && (data[0] & 0xf0) !== 0xc0) this.app.send({ midi: [...data] });
  }
}

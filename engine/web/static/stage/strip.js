// The notes of all tracks side by side: how likely each was, which were chosen, which were heard.

import { palette, trackColour, withAlpha } from "../lib/colour.js";
import { t } from "../lib/language.js";
import { CLAMPED, HOLD, PLAY, TOLD, pitchName, trackName } from "../lib/net.js";
import { byPlayer, slotPlaces } from "../lib/notes.js";
import { Sheet, fitted, font, textSize } from "../lib/sheet.js";

// Likelihood as bars, the choice as blocks below them, pitches below those.
export class BeliefStrip {
  constructor(parent, app) {
    this.app = app;
    this.sheet = new Sheet(parent, "strip", "", t("belief.why"));
    listen(this.sheet.canvas, app, (slot) => this.sentence(slot), () => this.places, "belief");
  }

  draw(frame) {
    const { net } = this.app;
    const pen = this.sheet.fit();
    const { width, height } = this.sheet;
    if (!width) return;
    this.places = slotPlaces(net, width);
    const { left, wide } = this.places;
    const size = textSize(12);
    const ruler = size + 3;
    const block = 11;
    const base = height - ruler - block - 3;
    const head = size + 8;
    pen.font = font(12);
    for (const track of net.tracks) {
      const colour = trackColour(track);
      const end = track.start + track.pitches.length;
      const one = wide[track.start];
      const thick = Math.max(one - (one > 3 ? 1 : 0), 1);
      const right = left[end - 1] + one;
      pen.fillStyle = "#0c1117";
      pen.fillRect(left[track.start], base + 3, right - left[track.start], block);
      pen.fillStyle = colour;
      const next = end < net.slots ? left[end] : width;
      pen.fillText(fitted(pen, trackName(track), next - left[track.start] - 4), left[track.start], size);
      pen.fillStyle = palette.line;
      pen.fillRect(left[track.start], base, right - left[track.start], 1);
      this.ruler(pen, track, height);
      if (!frame) continue;
      for (let slot = track.start; slot < end; slot++) {
        const p = net.probability(frame, slot);
        const cell = frame.cells[slot];
        const x = left[slot];
        if (p > 0.004) {
          const tall = Math.max(p * (base - head), 1);
          pen.fillStyle = withAlpha(colour, cell & PLAY ? 0.95 : 0.5);
          pen.fillRect(x, base - tall, thick, tall);
        }
        if (cell & PLAY) {
          pen.fillStyle = cell & CLAMPED ? palette.player : colour;
          if (cell & HOLD) pen.fillRect(x, base + 3 + block / 2 - 1.5, thick, 4);
          else pen.fillRect(x, base + 3, thick, block);
        }
      }
    }
  }

  ruler(pen, track, height) {
    const { left, wide } = this.places;
    if (track.kind === "drums") return;
    if (wide[track.start] * 12 < 2.2 * textSize(12)) return;
    pen.fillStyle = palette.soft;
    track.pitches.forEach((pitch, i) => {
      if (pitch % 12) return;
      const x = left[track.start + i];
      pen.fillRect(x, height - textSize(12) - 2, 1, 3);
      pen.fillText(pitchName(pitch), x, height - 1);
    });
  }

  sentence(slot) {
    const { net, history } = this.app;
    const frame = history.last;
    const track = net.tracks[net.slotTrack[slot]];
    const name = `${trackName(track)}, ${net.slotName(slot)}`;
    if (!frame) return name;
    const cell = frame.cells[slot];
    const percent = (100 * net.probability(frame, slot)).toFixed(0);
    const did = t(!(cell & PLAY) ? "belief.not" : cell & CLAMPED ? "belief.yours" : cell & HOLD ? "belief.holds" : "belief.begins");
    return `${t("belief.says", { name, percent, did })}${this.app.mayChange ? ` ${t("belief.press")}` : ""}`;
  }
}

// What the network was told of the step before: the only way in for notes.
export class HeardStrip {
  constructor(parent, app) {
    this.app = app;
    this.sheet = new Sheet(parent, "strip heard", "", t("heard.why"));
    listen(this.sheet.canvas, app, (slot) => this.sentence(slot), () => this.places);
  }

  draw(frame) {
    const { net, history } = this.app;
    const pen = this.sheet.fit();
    const { width, height } = this.sheet;
    if (!width) return;
    this.places = slotPlaces(net, width);
    const { left, wide } = this.places;
    const last = history.at(history.count - 2);
    const before = last && frame && last.step === frame.step - 1 ? last : null;
    for (const track of net.tracks) {
      const end = track.start + track.pitches.length;
      const one = wide[track.start];
      const thick = Math.max(one - (one > 3 ? 1 : 0), 1);
      pen.fillStyle = "#0c1117";
      pen.fillRect(left[track.start], 0, left[end - 1] + one - left[track.start], height);
      if (!frame) continue;
      for (let slot = track.start; slot < end; slot++) {
        if (!(frame.cells[slot] & TOLD)) continue;
        pen.fillStyle = before && byPlayer(before, slot) ? palette.player : trackColour(track);
        pen.fillRect(left[slot], 1, thick, height - 2);
      }
    }
  }

  sentence(slot) {
    const { net, history } = this.app;
    const name = `${trackName(net.tracks[net.slotTrack[slot]])}, ${net.slotName(slot)}`;
    const told = history.last && history.last.cells[slot] & TOLD;
    return t(told ? "heard.sounded" : "heard.silent", { name });
  }
}

// `what` is done when a note is pointed at.
function listen(canvas, app, sentence, places, what = "") {
  const slotAt = (event) => {
    const { left, wide } = places() ?? {};
    if (!left) return -1;
    const x = event.clientX - canvas.getBoundingClientRect().left;
    for (let slot = 0; slot < app.net.slots; slot++) if (x >= left[slot] && x < left[slot] + wide[slot]) return slot;
    return -1;
  };
  const say = (slot, event) => {
    app.why.say(sentence(slot), event.clientX, event.clientY);
    app.happened(what);
  };
  canvas.addEventListener("pointermove", (event) => {
    const slot = slotAt(event);
    canvas.style.cursor = slot >= 0 && app.mayChange ? "pointer" : "default";
    if (slot >= 0) say(slot, event);
    else app.why.hide();
  });
  canvas.addEventListener("pointerleave", () => app.why.hide());
  canvas.addEventListener("pointerdown", (event) => {
    const slot = slotAt(event);
    if (slot < 0) return;
    say(slot, event);
    canvas.setPointerCapture(event.pointerId);
    const pitch = app.net.slotPitch[slot];
    app.keys.press(pitch, 90);
    const end = () => app.keys.release(pitch);
    canvas.addEventListener("pointerup", end, { once: true });
    canvas.addEventListener("pointercancel", end, { once: true });
  });
}

// The roll: what sounded, and behind it what the network found likely; at the right, the step it decides now.

import { palette, rgb, trackColour } from "../lib/colour.js";
import { chip, el, tools } from "../lib/dom.js";
import { counted, t } from "../lib/language.js";
import { CLAMPED, PLAY, PLAYER, trackName } from "../lib/net.js";
import { HELD, YOURS, barsBetween, sounded } from "../lib/notes.js";
import { mod } from "../lib/number.js";
import { Ranges, laneLayout, nameColumns, rowNames } from "../lib/roll_layout.js";
import { Sheet, fitted, font, outlined, textSize } from "../lib/sheet.js";
import { barName } from "./rollstrip.js";

const FAINT = 0.02; // likelihood below which nothing is drawn
const ASKED = 4; // futures that the button asks for
const STALE = 4; // steps after which futures are of the past

// Colour of the line where a beat begins.
const line = ({ within, accent }) => (within === 0 ? "#334152" : accent ? "#243040" : "#18202a");

export class RollView {
  constructor(app) {
    this.app = app;
  }

  sentence() {
    return t("roll.sentence");
  }

  mount(root) {
    const turn = () => {
      this.plain = !this.plain;
      ghosts.setAttribute("aria-pressed", String(!this.plain));
      this.redraw();
    };
    const ghosts = chip(t("ghosts"), t("ghosts.why"), turn, "ghosts");
    ghosts.setAttribute("aria-pressed", String(!this.plain));
    this.wish = chip(t("ahead"), t("ahead.why"), () => this.look(), "futures");
    const box = el("div", "roll");
    root.append(tools(this.sentence(), ghosts, this.wish), box);
    this.sheet = new Sheet(box, "fill", "", t("roll.shows"));
    this.sheet.canvas.tabIndex = 0;
    this.page = document.createElement("canvas");
    this.watch = new ResizeObserver(() => this.redraw());
    this.watch.observe(box);
    const { canvas } = this.sheet;
    canvas.addEventListener("pointermove", (event) => this.explain(event));
    canvas.addEventListener("pointerleave", () => this.app.why.hide());
    canvas.addEventListener("click", (event) => {
      const hit = this.hit(event);
      if (hit?.frame) this.app.pickMoment(hit.number);
    });
    this.redraw();
  }

  // Ask for what may follow, or no longer.
  look() {
    this.wished = !this.app.values.futures;
    this.app.send({ set: { futures: this.wished ? ASKED : 0 } });
    if (this.wished) this.app.happened("ahead");
  }

  unmount() {
    this.watch.disconnect();
    this.app.why.hide();
  }

  // A lane has rows for what was played or nearly played: nobody sees a note that is a hair thin.
  layout() {
    const { net } = this.app;
    const canvas = this.sheet.canvas;
    this.narrow = window.innerWidth < 700;
    this.size = textSize(12);
    this.foot = this.size + 8;
    this.plan = laneLayout(net, this.ranges, canvas.clientHeight - this.foot, this.size);
    Object.assign(this, this.plan);
    this.names = rowNames(net, this.plan, this.ranges, this.size, !this.narrow);
    const pen = canvas.getContext("2d");
    const measure = (weight) => (text) => {
      pen.font = font(weight ? 13 : 12, weight);
      return pen.measureText(text).width;
    };
    this.columnsLeft = nameColumns(net, this.names, measure("600"), measure(""));
    this.left = this.narrow ? this.columnsLeft.left - this.columnsLeft.tracks - 14 : this.columnsLeft.left; // on a phone the tracks' names stand within the lanes
    this.width = canvas.clientWidth - this.left;
    this.cell = this.narrow ? 9 : 14;
    this.ahead = (2 + (this.foreseen()?.steps ?? 0)) * this.cell; // room at the right for the step that sounds, and for what may follow
    this.columns = Math.max(Math.floor((this.width - this.ahead) / this.cell), 8);
  }

  // What the network imagines may follow; null where it imagines nothing.
  foreseen() {
    const { futures, history } = this.app;
    const age = futures && history.last ? history.last.step - futures.step : STALE;
    return age >= 0 && age < STALE ? futures : null;
  }

  // Other futures have come.
  imagine() {
    this.dirty = true;
  }

  // Draw all columns anew: the page is a ring of columns, each step writes one.
  redraw() {
    const { history } = this.app;
    if (!this.sheet.canvas.clientWidth) return;
    this.ranges ??= new Ranges(this.app.net);
    for (let n = history.first; n < history.count; n++) this.ranges.widen(history.at(n));
    this.layout();
    const ratio = window.devicePixelRatio || 1;
    this.ratio = ratio;
    this.page.width = Math.round((this.columns + 1) * this.cell * ratio);
    this.page.height = Math.round(this.sheet.canvas.clientHeight * ratio);
    for (let n = Math.max(history.first, history.count - this.columns - 1); n < history.count; n++) this.column(n);
    this.dirty = true;
  }

  restart() {
    this.redraw();
  }

  step() {
    const number = this.app.history.count - 1;
    if (!this.lanes) return;
    if (this.ranges.widen(this.app.history.at(number))) {
      this.redraw();
      return;
    }
    // The step before is now known to the end: what came late is in it.
    this.column(number - 1);
    this.column(number);
    this.dirty = true;
  }

  column(number) {
    const { net, history } = this.app;
    const frame = history.at(number);
    if (!frame) return;
    const pen = this.page.getContext("2d");
    const { ratio, cell: step } = this;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const x = mod(number, this.columns + 1) * step;
    pen.clearRect(x, 0, step, this.page.height);
    const next = history.at(number + 1);
    const place = net.where(frame);
    for (const lane of this.lanes) {
      pen.fillStyle = "#0a0e13";
      pen.fillRect(x, lane.y, step, lane.height);
      pen.fillStyle = "#1a232e";
      for (const slot of lane.track.kind === "drums" ? [] : lane.slots) {
        if (net.slotPitch[slot] % 12 === 0) pen.fillRect(x, this.rowOf[slot] + lane.row - 0.5, step, 1);
      }
      if (place.begins) {
        pen.fillStyle = line(place);
        pen.fillRect(x, lane.y, 1, lane.height);
      }
    }
    for (let slot = 0; slot < net.slots; slot++) {
      if (this.rowOf[slot] < 0) continue;
      const p = net.probability(frame, slot);
      const note = sounded(frame, next, slot);
      const y = this.rowOf[slot];
      const tall = Math.max(this.tallOf[slot] - 1, 1.4);
      if (!this.plain && p > FAINT && !(note & YOURS)) {
        pen.fillStyle = ghost(net, slot, p);
        pen.fillRect(x, y, step, tall);
      }
      if (note) {
        const held = note & HELD;
        pen.fillStyle = note & YOURS ? palette.player : trackColour(net.tracks[net.slotTrack[slot]]);
        pen.fillRect(held ? x : x + 1.5, y, held ? step : step - 1.5, tall);
      }
    }
  }

  draw(now) {
    const { app } = this;
    const { net, history } = app;
    const frame = history.last;
    if (!this.lanes || !this.sheet.canvas.clientWidth) return false;
    const foreseen = this.foreseen();
    if ((foreseen?.steps ?? 0) !== this.looked) {
      this.looked = foreseen?.steps ?? 0;
      this.redraw();
    }
    this.wish.hidden = !app.mayChange;
    this.wish.setAttribute("aria-pressed", String(app.values.futures > 0));
    // Only between steps does it glide; who asked for little motion sees it move by whole steps.
    const part = app.still || !frame ? 0 : Math.min(Math.max((app.clock.beatAt(now) - frame.beat) * net.stepsPerBeat, 0), 1);
    if (!this.dirty && part === this.part) return false;
    this.dirty = false;
    this.part = part;
    const pen = this.sheet.fit();
    const { width, height } = this.sheet;
    const edge = width - this.ahead; // where now is
    if (frame) {
      pen.save();
      pen.beginPath();
      pen.rect(this.left, 0, width - this.left, height);
      pen.clip();
      // The step that began now lies to the right of the line, and slides under it.
      const shift = part * this.cell;
      pen.imageSmoothingEnabled = false;
      const newest = mod(history.count - 1, this.columns + 1);
      const all = this.columns + 1;
      for (let k = 0; k < all; k += 1) {
        // The ring in at most two pieces.
        const start = mod(newest + 1 + k, all);
        const count = Math.min(all - k, all - start);
        const x = Math.round((edge - shift) * this.ratio) / this.ratio + (k - all + 1) * this.cell;
        pen.drawImage(this.page, start * this.cell * this.ratio, 0, count * this.cell * this.ratio, this.page.height, x, 0, count * this.cell, height);
        k += count - 1;
      }
      if (foreseen) this.future(pen, foreseen, edge - shift);
      this.player(pen, edge, part);
      pen.restore();
      pen.fillStyle = palette.text;
      pen.fillRect(edge - 1, 0, 2, height - this.foot);
    }
    this.labels(pen, height, edge);
    return frame !== null;
  }

  // What may follow, from where the newest step begins: the more of the futures have a note, the brighter it is.
  future(pen, { step, count, steps, slots, notes }, x) {
    const { net, history } = this.app;
    const late = history.last.step - step; // those before the newest step have sounded
    for (const lane of this.lanes) {
      pen.fillStyle = "#0a0e13";
      pen.fillRect(x + this.cell, lane.y, (steps - late) * this.cell, lane.height);
    }
    for (let k = late; k < steps; k++) {
      const left = x + (k - late + 1) * this.cell;
      const place = net.where(history.last, step + 1 + k - history.last.step);
      if (place.begins) {
        pen.fillStyle = line(place);
        for (const lane of this.lanes) pen.fillRect(left, lane.y, 1, lane.height);
      }
      for (let slot = 0; slot < slots; slot++) {
        if (this.rowOf[slot] < 0) continue;
        let many = 0;
        let begins = false;
        for (let b = 0; b < count; b++) {
          const note = notes[(b * steps + k) * slots + slot];
          many += note > 0;
          begins ||= note === 2;
        }
        if (!many) continue;
        pen.fillStyle = ghost(net, slot, 0.25 + (0.75 * many) / count);
        pen.fillRect(begins ? left + 1.5 : left, this.rowOf[slot], begins ? this.cell - 1.5 : this.cell, Math.max(this.tallOf[slot] - 1, 1.4));
      }
    }
  }

  // The player's keys that are down, from where they began up to now: at once, and not moved to the grid.
  player(pen, edge) {
    const { net, keys, clock } = this.app;
    const track = net.tracks.find((t) => t.name === "player") ?? net.tracks.find((t) => t.name === "lead") ?? net.tracks.at(-1);
    const now = clock.beatAt(performance.now());
    for (const [pitch, note] of keys.sounding(PLAYER)) {
      const at = track.pitches.indexOf(pitch);
      if (at < 0 || this.rowOf[track.start + at] < 0) continue;
      const long = Math.max((now - note.beat) * net.stepsPerBeat * this.cell, 3);
      pen.fillStyle = palette.player;
      pen.fillRect(edge - Math.min(long, this.width), this.rowOf[track.start + at], Math.min(long, this.width), Math.max(this.tallOf[track.start + at] - 1, 2));
    }
  }

  labels(pen, height, edge) {
    const { history } = this.app;
    pen.textBaseline = "middle";
    for (const { track, y, height: tall } of this.lanes) {
      pen.fillStyle = trackColour(track);
      pen.fillRect(this.left - 6, y, 2, tall);
      pen.font = font(13, "600");
      if (this.narrow) outlined(pen, trackName(track), this.left + 4, y + 9);
      else pen.fillText(trackName(track), 0, y + tall / 2);
    }
    pen.font = font(12);
    pen.fillStyle = palette.soft;
    pen.textAlign = "right";
    for (const { text, y } of this.names) pen.fillText(text, this.left - 11, Math.max(y, this.size / 2));
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
    const last = history.last;
    if (!last) return;
    pen.fillStyle = palette.soft;
    const shift = this.part * this.cell;
    const { net } = this.app;
    const wide = barName(pen);
    const every = barsBetween(this.cell * net.stepsPerBar, wide);
    const nowWide = pen.measureText(t("now.here")).width;
    const nowAt = Math.min(edge - nowWide / 2, this.sheet.width - nowWide);
    for (let k = 0; k <= this.columns; k++) {
      const { bar, within } = history.where(history.count - 1 - k);
      if (bar < 0 || within || bar % every) continue;
      const x = edge - shift - k * this.cell;
      if (x > this.left && x < nowAt - wide) pen.fillText(t("bar", { number: bar + 1 }), x + 3, height - 4);
    }
    pen.fillStyle = palette.text;
    pen.fillText(t("now.here"), nowAt, height - 4);
    pen.fillStyle = palette.faint;
    if (this.looked) pen.fillText(fitted(pen, t("roll.follows"), this.sheet.width - nowAt - nowWide - 8), nowAt + nowWide + 8, height - 4);
  }

  hit(event) {
    const { net, history } = this.app;
    if (!this.lanes || !history.last) return null;
    const box = this.sheet.canvas.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    const edge = box.width - this.ahead;
    const age = Math.ceil((edge - this.part * this.cell - x) / this.cell);
    const number = history.count - 1 - age;
    let slot = -1;
    for (let s = 0; s < net.slots; s++) if (y >= this.rowOf[s] && y < this.rowOf[s] + this.tallOf[s]) slot = s;
    return { number, ahead: -age, frame: x > this.left ? history.at(number) : null, slot };
  }

  explain(event) {
    const { app } = this;
    const { net, history } = app;
    const hit = this.hit(event);
    this.sheet.canvas.style.cursor = hit?.frame ? "pointer" : "default";
    if (hit?.ahead > 0 && hit.slot >= 0 && this.foreseen()) {
      app.why.say(this.foretell(hit), event.clientX, event.clientY);
      return;
    }
    if (!hit || !hit.frame || hit.slot < 0) {
      app.why.hide();
      return;
    }
    const { frame, slot, number } = hit;
    const track = net.tracks[net.slotTrack[slot]];
    const cell = frame.cells[slot];
    const note = sounded(frame, history.at(number + 1), slot);
    const did = t(note ? (note & YOURS ? "roll.yours" : "roll.theirs") : cell & PLAY && !(cell & CLAMPED) ? "roll.chosen" : "roll.not");
    const percent = (100 * net.probability(frame, slot)).toFixed(0);
    const name = `${trackName(track)}, ${net.slotName(slot)}`;
    app.why.say(t("roll.note", { name, place: net.place(frame), percent, did }), event.clientX, event.clientY);
  }

  foretell({ slot, ahead }) {
    const { net, history } = this.app;
    const { step, count, steps, slots, notes } = this.foreseen();
    const k = history.last.step + ahead - step - 1;
    let many = 0;
    for (let b = 0; b < count && k < steps; b++) many += notes[(b * steps + k) * slots + slot] > 0;
    const name = `${trackName(net.tracks[net.slotTrack[slot]])}, ${net.slotName(slot)}`;
    return counted("roll.ahead", ahead, { name, many, ways: count });
  }
}

// Colours of what was likely and did not happen: of each instrument in 21 strengths.
const ghosts = new Map();

function ghost(net, slot, p) {
  const colour = trackColour(net.tracks[net.slotTrack[slot]]);
  if (!ghosts.has(colour)) {
    ghosts.set(colour, Array.from({ length: 21 }, (_, k) => `rgba(${rgb(colour).join(",")},${(0.06 + 0.02 * k).toFixed(2)})`));
  }
  return ghosts.get(colour)[Math.round(20 * p)];
}

// Probabilities of classes: chords as a table of kinds by roots where their names allow it, else a row.

import { palette, shade } from "../lib/colour.js";
import { el } from "../lib/dom.js";
import { t } from "../lib/language.js";
import { Sheet, font, textSize } from "../lib/sheet.js";

const ROOTS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];

export class Classes {
  constructor(parent, app) {
    this.app = app;
    const { names } = app.net.classes;
    this.kinds = [];
    this.places = names.map((name) => {
      const [root, kind] = name.split(":");
      if (kind === undefined || !ROOTS.includes(root)) return null;
      if (!this.kinds.includes(kind)) this.kinds.push(kind);
      return { column: ROOTS.indexOf(root), row: this.kinds.indexOf(kind) };
    });
    this.table = this.places.filter((p) => !p).length <= 1;
    parent.classList.add("classes");
    this.sheet = new Sheet(parent, "class-table", "", t("classes.why"));
    this.best = el("p", "best");
    parent.append(this.best);
    this.sheet.canvas.addEventListener("pointermove", (event) => {
      const k = this.classAt(event);
      if (k >= 0) app.why.say(this.sentence(k), event.clientX, event.clientY);
      else app.why.hide();
    });
    this.sheet.canvas.addEventListener("pointerleave", () => app.why.hide());
  }

  geometry() {
    const { names } = this.app.net.classes;
    const columns = this.table ? 12 : names.length;
    const rows = this.table ? this.kinds.length : 1;
    const left = this.table ? 4.4 * textSize(12) : 0;
    const top = this.table ? textSize(12) + 4 : 0;
    return { columns, rows, left, top, one: (this.sheet.width - left) / columns, tall: (this.sheet.height - top) / rows };
  }

  placeOf(k) {
    return this.table ? this.places[k] : { column: k, row: 0 };
  }

  classAt(event) {
    const box = this.sheet.canvas.getBoundingClientRect();
    const { left, top, one, tall } = this.geometry();
    const column = Math.floor((event.clientX - box.left - left) / one);
    const row = Math.floor((event.clientY - box.top - top) / tall);
    return this.app.net.classes.names.findIndex((_, k) => {
      const place = this.placeOf(k);
      return place && place.column === column && place.row === row;
    });
  }

  sentence(k) {
    const { net, history } = this.app;
    const frame = history.last;
    const percent = frame ? (100 * net.value(frame, net.classes.block, k)).toFixed(1) : "–";
    return t("classes.says", { chord: chordName(net.classes.names[k]), percent });
  }

  draw(frame) {
    const { net } = this.app;
    const pen = this.sheet.fit();
    if (!this.sheet.width) return;
    const { names, block } = net.classes;
    const { left, top, one, tall } = this.geometry();
    pen.font = font(12);
    pen.fillStyle = palette.soft;
    if (this.table) {
      ROOTS.forEach((root, k) => pen.fillText(chordName(root), left + k * one + one / 2 - 5, textSize(12)));
      this.kinds.forEach((kind, k) => pen.fillText(kind, 0, top + k * tall + tall / 2 + 4));
    }
    const scored = [];
    names.forEach((name, k) => {
      const place = this.placeOf(k);
      const p = frame ? net.value(frame, block, k) : 0;
      scored.push({ name, p });
      if (!place) return;
      // The square root lets the small ones be seen beside the favourite.
      pen.fillStyle = shade(palette.luts.sequential, Math.sqrt(p), 0, 1);
      pen.fillRect(left + place.column * one, top + place.row * tall, Math.max(one - 1, 1), Math.max(tall - 1, 1));
    });
    scored.sort((a, b) => b.p - a.p);
    this.best.textContent = frame ? scored.slice(0, 4).map(({ name, p }) => `${chordName(name)} ${(100 * p).toFixed(0)} %`).join("   ") : "";
  }
}

function chordName(name) {
  if (name === "N") return t("classes.silence");
  const [root, kind = ""] = name.split(":");
  const sign = root.slice(1).replace("#", "♯").replace("b", "♭");
  return root[0] + sign + (kind === "maj" ? "" : kind.replace("min", "m"));
}

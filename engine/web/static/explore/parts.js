// What the explorer's pages are put together from: a sheet, a slider, a button, keys.

import { el } from "../lib/dom.js";
import { Sheet } from "../lib/sheet.js";
import { number } from "./draw.js";

/** Set by the page as a whole: `why` shows a sentence beside the pointer, `tell` says it to whoever cannot see. */
export const around = { why: null, tell: () => {}, notes: ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"] };

/**
 * A sheet to draw on that says what it shows; `touch(x, y, kind)` is told of the pointer: down, move, up. With a title above.
 *
 * While it is drawn, `spot(x, y, width, height, text, act)` says what lies there: the text, or what a function of the place
 * returns as the text, is shown beside the pointer, and the arrow keys go from spot to spot; `act` is done by a click or by Enter.
 */
export function sheet(sees, touch = null, title = "") {
  const node = el("figure", "sheet");
  if (title) node.append(el("figcaption", "", title));
  const place = el("div", "picture");
  node.append(place);
  const drawn = new Sheet(place, "", "");
  const { canvas } = drawn;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", sees);
  let [held, spots, chosen] = [false, [], -1];
  const where = (event) => {
    const edge = canvas.getBoundingClientRect();
    return [event.clientX - edge.left, event.clientY - edge.top];
  };
  const spotAt = ([x, y]) => spots.findLast((s) => x >= s.x && x <= s.x + s.width && y >= s.y && y <= s.y + s.height);
  const shown = (spot, event = null) => {
    const told = spot?.text;
    const at = () => (event ? where(event) : [spot.x + spot.width / 2, spot.y + spot.height / 2]);
    const text = typeof told === "function" ? told(...at()) : told;
    if (!text) return around.why?.hide();
    if (event) return around.why?.say(text, event.clientX, event.clientY);
    const edge = canvas.getBoundingClientRect();
    around.why?.say(text, edge.left + spot.x + spot.width / 2, edge.top + spot.y + spot.height);
    around.tell(text);
  };
  canvas.addEventListener("pointerdown", (event) => {
    held = true;
    canvas.setPointerCapture?.(event.pointerId);
    const spot = spotAt(where(event));
    if (spot?.act) spot.act();
    else touch?.(...where(event), "down");
    if (event.pointerType === "touch" && (spot?.act || !touch)) shown(spot, event); // not in the way of a finger that draws
    else around.why?.hide();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held) touch?.(...where(event), "move");
    else if (event.pointerType !== "touch") {
      const spot = spotAt(where(event));
      canvas.style.cursor = spot?.act ? "pointer" : (spot?.cursor ?? "");
      shown(spot, event);
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, (event) => {
      if (held) touch?.(...where(event), "up");
      held = false;
    });
  }
  // A finger that is lifted has left, too: what it was told stays until the next touch.
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && around.why?.hide());
  canvas.addEventListener("pointercancel", () => around.why?.hide());
  canvas.addEventListener("blur", () => {
    chosen = -1;
    around.why?.hide();
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by && spots.length) {
      chosen = (chosen + by + spots.length + (chosen < 0 && by < 0 ? 1 : 0)) % spots.length;
      shown(spots[chosen]);
    } else if (event.key === "Enter" && spots[chosen]?.act) spots[chosen].act();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  let last = "";
  return {
    node,
    canvas,
    /** Whether it has to be drawn: something of what it shows is other than when this was last asked, or its size. */
    changed(...shows) {
      const now = [...shows, canvas.clientWidth, canvas.clientHeight, devicePixelRatio].join();
      const other = now !== last;
      last = now;
      return other;
    },
    fit() {
      const pen = drawn.fit();
      spots = [];
      return pen;
    },
    spot(x, y, width, height, text, act = null, cursor = "help") {
      if (!spots.length && canvas.tabIndex < 0) canvas.tabIndex = 0;
      spots.push({ x, y, width, height, text, act, cursor });
    },
    /** A round one. */
    spotAround(x, y, radius, text, act = null) {
      this.spot(x - radius, y - radius, 2 * radius, 2 * radius, text, act);
    },
    get width() { return drawn.width; },
    get height() { return drawn.height; },
  };
}

export function slider(label, { min, max, step = 0.01, value, shown = number, why = "" }, moved) {
  const node = el("label", "slider");
  if (why) node.dataset.why = why;
  const [input, output] = [el("input"), el("output")];
  Object.assign(input, { type: "range", min, max, step });
  const show = (v) => {
    output.textContent = shown(v);
    input.style.setProperty("--at", `${(100 * (v - min)) / (max - min)}%`);
  };
  const set = (v) => {
    input.value = v;
    show(Number(v));
  };
  input.addEventListener("input", () => {
    show(Number(input.value));
    moved(Number(input.value));
  });
  node.append(el("span", "", label), input, output);
  set(value);
  return { node, set };
}

export function row(...nodes) {
  const node = el("div", "row");
  node.append(...nodes);
  return node;
}

export function group(name, ...nodes) {
  const node = el("div", name);
  node.append(...nodes);
  return node;
}

export function button(text, act, { strong = false, pressed = null, why = "" } = {}) {
  const node = el("button", strong ? "chip strong" : "chip", text);
  node.type = "button";
  if (why) node.dataset.why = why;
  if (pressed !== null) node.setAttribute("aria-pressed", String(pressed));
  node.addEventListener("click", () => act(node));
  return node;
}

export const press = (node, on) => node.setAttribute("aria-pressed", String(on));

/** Something to be struck, by finger, mouse or key: `down(index)` and `up(index)`. */
export function struck(labels, name, down, up = () => {}) {
  const node = el("div", name);
  const buttons = labels.map((label, index) => {
    const one = el("button", "", label);
    one.type = "button";
    const begin = (event) => {
      event.preventDefault();
      if (one.classList.contains("down")) return;
      one.classList.add("down");
      down(index, event);
    };
    const end = () => {
      if (!one.classList.contains("down")) return;
      one.classList.remove("down");
      up(index);
    };
    one.addEventListener("pointerdown", begin);
    for (const kind of ["pointerup", "pointerleave", "pointercancel", "blur"]) one.addEventListener(kind, end);
    one.addEventListener("keydown", (event) => (event.key === " " || event.key === "Enter") && !event.repeat && begin(event));
    one.addEventListener("keyup", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault(); // or it would be clicked once more
      end();
    });
    // A screen reader clicks without a pointer.
    one.addEventListener("click", (event) => {
      if (event.detail !== 0 || one.classList.contains("down")) return;
      begin(event);
      end();
    });
    node.append(one);
    return one;
  });
  return { node, buttons };
}

export const noteName = (pitch) => around.notes[((pitch % 12) + 12) % 12];
export const isBlack = (pitch) => [1, 3, 6, 8, 10].includes(pitch % 12);

/** Keys of a piano from `first` on. */
export function keys(first, count, down, up = () => {}) {
  const labels = Array.from({ length: count }, (_, k) => noteName(first + k));
  const made = struck(labels, "keys", (k, event) => down(first + k, event), (k) => up(first + k));
  made.buttons.forEach((one, k) => one.classList.toggle("black", isBlack(first + k)));
  return { ...made, light: (pitch, on) => made.buttons[pitch - first]?.classList.toggle("theirs", on) };
}

/** What the colours and shapes of a page mean: [shape, colour, words]; shapes: dot, ring, block, line, dash. */
export function legend(entries) {
  const node = el("ul", "legend");
  for (const [shape, colour, text] of entries) {
    const one = el("li");
    const mark = el("span", `mark ${shape}`);
    mark.style.color = colour;
    one.append(mark, el("span", "", text));
    node.append(one);
  }
  return node;
}

// What the explorer's pages are put together from: a sheet, a slider, a button, keys.

import { el } from "../lib/dom.js";
import { Sheet } from "../lib/sheet.js";

/** A sheet to draw on that says what it shows; `touch(x, y, kind)` is told of the pointer: down, move, up. */
export function sheet(sees, touch = null) {
  const node = el("div", "sheet");
  const drawn = new Sheet(node, "", "");
  drawn.canvas.setAttribute("role", "img");
  drawn.canvas.setAttribute("aria-label", sees);
  let held = false;
  const tell = (kind) => (event) => {
    if (kind === "down") {
      held = true;
      drawn.canvas.setPointerCapture?.(event.pointerId);
    } else if (!held) return;
    if (kind === "up") held = false;
    const box = drawn.canvas.getBoundingClientRect();
    touch(event.clientX - box.left, event.clientY - box.top, kind);
  };
  if (touch) {
    drawn.canvas.addEventListener("pointerdown", tell("down"));
    drawn.canvas.addEventListener("pointermove", tell("move"));
    drawn.canvas.addEventListener("pointerup", tell("up"));
    drawn.canvas.addEventListener("pointercancel", tell("up"));
  }
  return { node, fit: () => drawn.fit(), get width() { return drawn.width; }, get height() { return drawn.height; } };
}

export function slider(label, { min, max, step = 0.01, value, shown = (v) => v.toFixed(2) }, moved) {
  const node = el("label", "slider");
  const [input, output] = [el("input"), el("output")];
  Object.assign(input, { type: "range", min, max, step });
  const set = (v) => {
    input.value = v;
    output.textContent = shown(Number(v));
  };
  input.addEventListener("input", () => {
    output.textContent = shown(Number(input.value));
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

export function button(text, act, { strong = false, pressed = null } = {}) {
  const node = el("button", strong ? "chip strong" : "chip", text);
  node.type = "button";
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
    one.addEventListener("keyup", (event) => (event.key === " " || event.key === "Enter") && end());
    node.append(one);
    return one;
  });
  return { node, buttons };
}

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
export const noteName = (pitch) => NAMES[((pitch % 12) + 12) % 12];
export const isBlack = (pitch) => [1, 3, 6, 8, 10].includes(pitch % 12);

/** Keys of a piano from `first` on. */
export function keys(first, count, down, up = () => {}) {
  const labels = Array.from({ length: count }, (_, k) => noteName(first + k));
  const made = struck(labels, "keys", (k, event) => down(first + k, event), (k) => up(first + k));
  made.buttons.forEach((one, k) => one.classList.toggle("black", isBlack(first + k)));
  return { ...made, light: (pitch, on) => made.buttons[pitch - first]?.classList.toggle("theirs", on) };
}

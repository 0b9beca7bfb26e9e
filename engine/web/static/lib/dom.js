// Building the page: an element with a class and a text, a button that says what it does, the line above a view.

import { t } from "./language.js";

export function el(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

export function chip(text, why, act, id = "") {
  const node = el("button", "chip", text);
  if (id) node.id = id;
  node.dataset.why = why;
  node.onclick = act;
  return node;
}

export function tools(sentence, ...more) {
  const node = el("div", "tools");
  node.append(el("p", "sentence", sentence), ...more);
  return node;
}

// Write the texts into a page's own elements: data-t names what one says, data-t-why what explains it, data-t-label what it is
// called for who does not see it.
export function translate(root) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-why]")) node.dataset.why = t(node.dataset.tWhy);
  for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
}

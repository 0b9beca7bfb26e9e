// Building the page: an element with a class and a text, a button that says what it does, the line above a view.

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

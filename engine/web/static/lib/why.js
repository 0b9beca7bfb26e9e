// One plain sentence about whatever the pointer or the focus is on.

export class Why {
  /** `told` is called whenever something is explained. */
  constructor(node, told = () => {}) {
    this.node = node;
    this.told = told;
    const find = (target) => (target instanceof Element ? target.closest("[data-why]") : null);
    document.addEventListener("pointerover", (event) => {
      const on = find(event.target);
      if (event.pointerType === "touch") return;
      if (on?.dataset.why) this.beside(on);
      else if (this.owner) this.hide();
    });
    document.addEventListener("focusin", (event) => {
      const on = find(event.target);
      if (on?.dataset.why && event.target.matches(":focus-visible")) this.beside(on);
    });
    document.addEventListener("focusout", () => this.hide());
    // With a finger: touching a label that does nothing else tells what it is.
    document.addEventListener("click", (event) => {
      const on = find(event.target);
      if (on?.dataset.why && !event.target.closest("button, input, canvas, [tabindex]")) this.beside(on);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.hide();
    });
    // What it stands beside is scrolled: it goes along, over nothing else.
    document.addEventListener("scroll", () => this.follow(), { capture: true, passive: true });
  }

  beside(owner) {
    const box = owner.getBoundingClientRect();
    this.owner = owner;
    this.show(owner.dataset.why, box.left + box.width / 2, box.bottom + 4, box);
  }

  follow() {
    if (!this.owner) return;
    const box = this.owner.getBoundingClientRect();
    if (box.bottom < 0 || box.top > innerHeight) this.hide();
    else this.place(box.left + box.width / 2, box.bottom + 4, box);
  }

  // Beside the pointer.
  say(text, x, y) {
    this.owner = null;
    this.show(text, x, y + 18, { top: y - 6, bottom: y });
  }

  show(text, x, y, box) {
    this.node.textContent = text;
    this.node.hidden = false;
    this.place(x, y, box);
    this.told();
  }

  place(x, y, box) {
    const { node } = this;
    const { width, height } = node.getBoundingClientRect();
    const left = Math.min(Math.max(x - width / 2, 8), innerWidth - width - 8);
    const top = y + height + 8 > innerHeight ? box.top - height - 8 : y;
    node.style.transform = `translate(${Math.round(left)}px,${Math.round(Math.max(top, 8))}px)`;
  }

  hide() {
    this.owner = null;
    this.node.hidden = true;
  }
}

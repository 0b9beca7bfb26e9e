// A film's slate: the number of the step that is drawn, as squares of black and white, so that picture and sound can be held
// against each other.

export const BITS = 24;

export class Slate {
  constructor(art) {
    this.art = art;
  }

  draw() {
    const { context: g, show, width } = this.art;
    const size = Math.floor(width / (BITS + 2));
    const number = (show.frame.step + 1) & 0xffffff;
    g.globalCompositeOperation = "source-over";
    g.globalAlpha = 1;
    for (let bit = 0; bit < BITS + 2; bit++) {
      const on = bit === 0 || (bit <= BITS && (number >> (bit - 1)) & 1);
      g.fillStyle = on ? "#ffffff" : "#000000";
      g.fillRect(bit * size, 0, size, size);
    }
  }
}

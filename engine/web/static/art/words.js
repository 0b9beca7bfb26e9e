// The few words of a picture: the network's name, and where in the music it is.

export class Words {
  constructor(art) {
    this.art = art;
  }

  draw() {
    const { context: g, show, width, height, colours } = this.art;
    const size = Math.round(Math.min(width, height) * 0.026);
    const edge = size * 1.4;
    g.globalCompositeOperation = "source-over";
    g.globalAlpha = 0.85;
    g.fillStyle = colours.text;
    g.font = `${size}px system-ui, "Segoe UI", Roboto, sans-serif`;
    g.textBaseline = "alphabetic";
    g.textAlign = "left";
    g.fillText(show.net.name, edge, height - edge);
    g.textAlign = "right";
    g.fillText(`${show.net.place(show.frame)}   ${Math.round(show.frame.tempo)}`, width - edge, height - edge);
    g.globalAlpha = 1;
  }
}

// 7. Take it home: the whole network on the visitor's phone, and the way there as a code.

import { palette } from "../../lib/colour.js";
import { el } from "../../lib/dom.js";
import { qr } from "../../lib/qr.js";
import { sheet } from "../parts.js";

export function create(app) {
  const address = new URL(`?lang=${app.texts.language}#key`, location.href).href;
  const picture = sheet(app.t("phone.sees"));
  const link = el("a", "soft", address);
  link.href = address;
  const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  const note = el("p", "soft", local ? app.t("phone.local") : "");
  const code = qr(address);
  app.happened("seen");

  function frame() {
    const pen = picture.fit();
    const { width, height } = picture;
    const unit = Math.max(Math.floor(Math.min(width, height) / (code.length + 8)), 1);
    const side = unit * (code.length + 8);
    const [left, top] = [(width - side) / 2, (height - side) / 2];
    pen.fillStyle = "#fff";
    pen.fillRect(left, top, side, side);
    pen.fillStyle = palette.ground;
    code.forEach((cells, r) => cells.forEach((dark, c) => dark && pen.fillRect(left + (c + 4) * unit, top + (r + 4) * unit, unit, unit)));
  }

  return { nodes: [picture.node, link, note], frame };
}

// The colours of a map and the numbers at its ends.

import { palette } from "./colour.js";
import { el } from "./dom.js";
import { t } from "./language.js";
import { isSigned } from "./net.js";
import { short } from "./number.js";

export function legend(block) {
  const signed = isSigned(block);
  const node = el("span", "legend");
  node.dataset.why = t(signed ? "legend.signed" : "legend.plain");
  const bar = el("canvas", "bar");
  bar.width = 128;
  bar.height = 1;
  const pen = bar.getContext("2d");
  const image = pen.createImageData(128, 1);
  const table = palette.luts[signed ? "diverging" : "sequential"];
  for (let i = 0; i < 128; i++) image.data.set(table.subarray(8 * i, 8 * i + 4), 4 * i);
  pen.putImageData(image, 0, 0);
  node.append(el("span", "", short(block.min)), bar, el("span", "", short(block.max)));
  return node;
}

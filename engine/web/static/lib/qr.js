// A QR code of an address: byte mode, error correction level L, versions 1 to 10. After ISO/IEC 18004.

const TOTAL = [0, 26, 44, 70, 100, 134, 172, 196, 242, 292, 346]; // code words of a version
const CHECK = [0, 7, 10, 15, 20, 26, 18, 20, 24, 30, 18]; // of a block, for correction
const BLOCKS = [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4];
const CENTRES = [[], [], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];

const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let k = 0, x = 1; k < 255; k++, x = (x << 1) ^ (x & 128 ? 0x11d : 0)) {
  EXP[k] = EXP[k + 255] = x;
  LOG[x] = k;
}
const times = (a, b) => (a && b ? EXP[LOG[a] + LOG[b]] : 0);

/** The words that let a reader correct `data`: the remainder of a division of polynomials over GF(256). */
export function correction(data, count) {
  let generator = [1];
  for (let k = 0; k < count; k++) {
    const next = [...generator, 0];
    generator.forEach((g, place) => (next[place + 1] ^= times(g, EXP[k])));
    generator = next;
  }
  const rest = [...data, ...new Array(count).fill(0)];
  for (let k = 0; k < data.length; k++) {
    const factor = rest[k];
    if (factor) generator.forEach((g, place) => (rest[k + place] ^= times(g, factor)));
  }
  return rest.slice(data.length);
}

function words(bytes, version) {
  const room = TOTAL[version] - CHECK[version] * BLOCKS[version];
  const bits = [0, 1, 0, 0];
  const push = (value, count) => {
    for (let k = count - 1; k >= 0; k--) bits.push((value >> k) & 1);
  };
  push(bytes.length, version < 10 ? 8 : 16);
  bytes.forEach((byte) => push(byte, 8));
  for (let k = 0; k < 4 && bits.length < 8 * room; k++) bits.push(0);
  while (bits.length % 8) bits.push(0);
  const data = [];
  for (let k = 0; k < bits.length; k += 8) data.push(parseInt(bits.slice(k, k + 8).join(""), 2));
  for (let k = 0; data.length < room; k++) data.push(k % 2 ? 0x11 : 0xec);
  const [count, short] = [BLOCKS[version], Math.floor(room / BLOCKS[version])];
  const longer = room % count;
  const blocks = [];
  for (let k = 0, at = 0; k < count; k++) {
    const size = short + (k >= count - longer ? 1 : 0);
    blocks.push(data.slice(at, (at += size)));
  }
  const checks = blocks.map((block) => correction(block, CHECK[version]));
  const out = [];
  for (let k = 0; k <= short; k++) for (const block of blocks) if (k < block.length) out.push(block[k]);
  for (let k = 0; k < CHECK[version]; k++) for (const check of checks) out.push(check[k]);
  return out;
}

const MASKS = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (r, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

function remainder(value, polynomial, bits) {
  let rest = value << bits;
  for (let k = 31; k >= bits; k--) if ((rest >>> k) & 1) rest ^= polynomial << (k - bits);
  return rest;
}

function frame(version) {
  const size = 17 + 4 * version;
  const cells = Array.from({ length: size }, () => new Int8Array(size).fill(-1)); // -1: free for data
  const put = (r, c, dark) => {
    if (r >= 0 && c >= 0 && r < size && c < size) cells[r][c] = dark ? 1 : 0;
  };
  for (const [top, left] of [[0, 0], [0, size - 7], [size - 7, 0]])
    for (let r = -1; r <= 7; r++)
      for (let c = -1; c <= 7; c++) {
        const ring = Math.max(Math.abs(r - 3), Math.abs(c - 3));
        put(top + r, left + c, ring !== 2 && ring !== 4);
      }
  for (const r of CENTRES[version])
    for (const c of CENTRES[version]) {
      if (cells[r][c] >= 0 && (r === 6 || c === 6) && !(r > 6 && r < size - 7) && !(c > 6 && c < size - 7)) continue;
      for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) put(r + y, c + x, Math.max(Math.abs(y), Math.abs(x)) !== 1);
    }
  for (let k = 8; k < size - 8; k++) {
    put(6, k, k % 2 === 0);
    put(k, 6, k % 2 === 0);
  }
  for (let k = 0; k < 9; k++) {
    if (cells[8][k] < 0) put(8, k, false);
    if (cells[k][8] < 0) put(k, 8, false);
    if (k < 8) {
      put(8, size - 1 - k, false);
      put(size - 1 - k, 8, false);
    }
  }
  put(size - 8, 8, true);
  if (version >= 7) {
    const bits = (version << 12) | remainder(version, 0x1f25, 12);
    for (let k = 0; k < 18; k++) {
      const [a, b] = [Math.floor(k / 3), size - 11 + (k % 3)];
      put(a, b, (bits >> k) & 1);
      put(b, a, (bits >> k) & 1);
    }
  }
  return cells;
}

function format(cells, mask) {
  const size = cells.length;
  const level = 1; // L
  const value = (level << 3) | mask;
  const bits = ((value << 10) | remainder(value, 0x537, 10)) ^ 0x5412;
  const bit = (k) => (bits >> k) & 1;
  for (let k = 0; k < 6; k++) cells[k][8] = bit(k);
  cells[7][8] = bit(6);
  cells[8][8] = bit(7);
  cells[8][7] = bit(8);
  for (let k = 9; k < 15; k++) cells[8][14 - k] = bit(k);
  for (let k = 0; k < 8; k++) cells[8][size - 1 - k] = bit(k);
  for (let k = 8; k < 15; k++) cells[size - 15 + k][8] = bit(k);
  cells[size - 8][8] = 1;
}

/** How badly a picture would be read: long runs, blocks, look-alikes of the corners, too dark or too light. */
function penalty(cells) {
  const size = cells.length;
  let [sum, dark] = [0, 0];
  const corner = ["10111010000", "00001011101"];
  for (const turned of [false, true])
    for (let a = 0; a < size; a++) {
      let [line, run, before] = ["", 0, -1];
      for (let b = 0; b < size; b++) {
        const cell = turned ? cells[b][a] : cells[a][b];
        line += cell;
        run = cell === before ? run + 1 : 1;
        before = cell;
        if (run === 5) sum += 3;
        else if (run > 5) sum++;
      }
      for (const like of corner) for (let from = line.indexOf(like); from >= 0; from = line.indexOf(like, from + 1)) sum += 40;
    }
  for (let r = 0; r < size; r++)
    for (let c = 0; c < size; c++) {
      dark += cells[r][c];
      if (r && c && cells[r][c] === cells[r - 1][c] && cells[r][c] === cells[r][c - 1] && cells[r][c] === cells[r - 1][c - 1]) sum += 3;
    }
  return sum + 10 * Math.floor(Math.abs((100 * dark) / size / size - 50) / 5);
}

/** The code of a text: rows of 0 (light) and 1 (dark), without the quiet margin of four. Throws where the text is too long. */
export function qr(text) {
  const bytes = [...new TextEncoder().encode(text)];
  const fits = (v) => TOTAL[v] - CHECK[v] * BLOCKS[v] >= bytes.length + (v < 10 ? 2 : 3);
  const version = TOTAL.findIndex((_, v) => v > 0 && fits(v));
  if (version < 0) throw new Error(`an address of ${bytes.length} letters is too long for a code`);
  const stream = words(bytes, version).flatMap((word) => Array.from({ length: 8 }, (_, k) => (word >> (7 - k)) & 1));
  const free = frame(version);
  const size = free.length;
  const places = [];
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) right--;
    for (let k = 0; k < size; k++)
      for (const c of [right, right - 1]) {
        const r = up ? size - 1 - k : k;
        if (free[r][c] < 0) places.push([r, c]);
      }
  }
  const pictures = MASKS.map((mask, number) => {
    const cells = free.map((row) => [...row]);
    places.forEach(([r, c], k) => (cells[r][c] = (stream[k] ?? 0) ^ (mask(r, c) ? 1 : 0)));
    format(cells, number);
    return cells;
  });
  return pictures.reduce((best, other) => (penalty(other) < penalty(best) ? other : best));
}

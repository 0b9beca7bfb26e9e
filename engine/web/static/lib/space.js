// Space on a flat screen: turn it, and cut a cube with a plane.

/** A view of space, turned by `yaw` round the upright axis and tilted by `pitch`: [right, up, towards the eye]. */
export function turned([x, y, z], yaw, pitch) {
  const [c, s, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const [right, depth] = [c * x + s * z, c * z - s * x];
  return [right, cp * y - sp * depth, sp * y + cp * depth];
}

const CORNERS = Array.from({ length: 8 }, (_, k) => [k & 1 ? 1 : -1, k & 2 ? 1 : -1, k & 4 ? 1 : -1]);

/** The twelve edges of the cube from -1 to 1, each two corners. */
export const EDGES = CORNERS.flatMap((from, a) =>
  CORNERS.slice(a + 1).filter((to) => from.filter((v, axis) => v !== to[axis]).length === 1).map((to) => [from, to]),
);

/** The corners of what the plane n . p + b = 0 cuts out of the cube from -1 to 1, in order round it; fewer than three: nothing. */
export function cut(normal, b) {
  const side = (p) => p[0] * normal[0] + p[1] * normal[1] + p[2] * normal[2] + b;
  const found = [];
  for (const [from, to] of EDGES) {
    const [d0, d1] = [side(from), side(to)];
    if (d0 * d1 > 0 || d0 === d1) continue;
    const share = d0 / (d0 - d1);
    found.push(from.map((v, axis) => v + share * (to[axis] - v)));
  }
  if (found.length < 3) return [];
  const middle = [0, 1, 2].map((axis) => found.reduce((sum, p) => sum + p[axis], 0) / found.length);
  const cross = (p, q) => [p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]];
  const dot = (p, q) => p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
  const along = found[0].map((v, axis) => v - middle[axis]);
  const across = cross(normal, along);
  const scale = Math.sqrt(dot(along, along) / (dot(across, across) || 1)); // `across` is as long as the normal says
  const angle = (p) => {
    const from = p.map((v, axis) => v - middle[axis]);
    return Math.atan2(scale * dot(from, across), dot(from, along));
  };
  return found.sort((p, q) => angle(p) - angle(q));
}

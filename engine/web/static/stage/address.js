// The view and the neuron stand in the address, so that a link shows the same again.

export function writeAddress({ view, selected: { layer, unit, row } }) {
  const where = new URLSearchParams({ view });
  if (view === "neuron") {
    where.set("layer", layer + 1);
    where.set("neuron", unit + 1);
    if (row !== null) where.set("note", row);
  }
  history.replaceState(null, "", `#${where}`);
}

// What the address asks for: {view, neuron}, null for what it does not name.
export function readAddress() {
  const where = new URLSearchParams(location.hash.slice(1));
  const [layer, unit, row] = ["layer", "neuron", "note"].map((key) => Number(where.get(key) ?? NaN));
  const neuron = layer >= 1 && unit >= 1 ? { layer: layer - 1, unit: unit - 1, row: row >= 0 ? row : null } : null;
  return { view: where.get("view"), neuron };
}

// The token in the address: it goes out of the address line, so that nobody reads it over a shoulder, and stays for this tab.
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("token");
  if (!token) return null;
  sessionStorage.setItem("token", token);
  history.replaceState(null, "", location.pathname + location.search);
  return token;
}

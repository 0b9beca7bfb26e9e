// What the address asks for: /art/?look=orbit&palette=ember&ground=transparent&line=2&text=on&flash=on&scale=0.5

export const LOOKS = ["snapshot", "alike", "flow", "trails", "orbit"];
export const PALETTES = ["stage", "ember", "ice", "mono", "paper"];
const SWITCH = { on: true, 1: true, off: false, 0: false };
const LINE = [0.25, 6];
const SCALE = [0.25, 2];
const COLOUR = /^[0-9a-fA-F]{6}$/;

// Return {options, faults}: every fault is a sentence that names what would do; what is wrong stays at its default.
export function read(search) {
  const query = new URLSearchParams(search);
  const faults = [];
  const options = { look: "snapshot", palette: "stage", ground: null, line: 1, scale: 1, text: false, flash: false, slate: false };
  const among = (key, names) => {
    const given = query.get(key);
    if (given === null) return;
    if (names.includes(given)) options[key] = given;
    else faults.push(`${key}=${given}: there are ${names.join(", ")}`);
  };
  const number = (key, [least, most]) => {
    const given = query.get(key);
    if (given === null) return;
    const value = Number(given);
    if (given.trim() !== "" && value >= least && value <= most) options[key] = value;
    else faults.push(`${key}=${given}: a number from ${least} to ${most}`);
  };
  const onOff = (key) => {
    const given = query.get(key);
    if (given === null) return;
    if (given in SWITCH) options[key] = SWITCH[given];
    else faults.push(`${key}=${given}: on or off`);
  };
  among("look", LOOKS);
  among("palette", PALETTES);
  number("line", LINE);
  number("scale", SCALE);
  for (const key of ["text", "flash", "slate"]) onOff(key);
  const ground = query.get("ground");
  if (ground === "transparent") options.ground = "transparent";
  else if (ground === "black") options.ground = "#000000";
  else if (ground !== null && COLOUR.test(ground)) options.ground = `#${ground}`;
  else if (ground !== null) faults.push(`ground=${ground}: transparent, black, or six hexadecimal digits as in ground=102030`);
  const known = [...Object.keys(options), "film"];
  for (const key of query.keys()) if (!known.includes(key)) faults.push(`${key}: not known; there are ${known.filter((name) => name !== "film" && name !== "slate").join(", ")}`);
  return { options, faults };
}

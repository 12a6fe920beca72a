// What is on view, and the same in the page's address, so that a view can be shared.
const SPEEDS = [0.5, 1, 2, 5, 10, 30, 100, 300]; // steps a second
const FRAMES = 30; // a second: where there are more steps than that, a frame has several
const NOISES = ["none", "strokes", "block", "border"];
const ERASED = ["lower half", "upper half", "left half", "right half", "middle", "by hand"];
const still = matchMedia("(prefers-reduced-motion: reduce)");
const watching = header.version !== undefined; // a run that learns on this machine, and is to have its processor

const labelCount = header.classes.length;
const view = {
  mode: "perceive",
  picture: 0, // an image of the page, or "drawn"
  held: null,
  seed: 1,
  speed: still.matches ? 1 : watching ? 2 : 3,
  temperature: 1,
  shown: "means",
  noise: "border",
  topDown: 0,
  doubt: 0, // 1 where pixels are doubted
  erased: "lower half",
  unit: null, // [layer, unit]
  theme: "",
};
let writing = 0; // the timer of the address's next change
let drawing = new Float32Array(PLANES * AREA);

// A number of an address between two bounds, or what stands for one that is none.
function bounded(text, low, high, otherwise) {
  const found = Number(text);
  return text !== null && text.trim() !== "" && Number.isFinite(found) ? Math.max(low, Math.min(high, found)) : otherwise;
}

const whole = (...given) => {
  const found = bounded(...given);
  return found === null ? null : Math.round(found);
};

const oneOf = (text, known, otherwise) => (known.includes(text) ? text : otherwise);

function readAddress(modes, sizes, images) {
  const said = new URLSearchParams(location.hash.slice(1));
  view.mode = oneOf(said.get("mode"), modes, modes[0]);
  view.picture = images ? whole(said.get("picture"), 0, images - 1, 0) : "drawn";
  if (said.has("drawn")) {
    drawing = unpackedDrawing(said.get("drawn"));
    view.picture = "drawn";
  }
  view.held = labelCount ? whole(said.get("held"), 0, labelCount - 1, null) : null;
  view.seed = whole(said.get("seed"), 0, 4294967295, view.seed);
  view.speed = whole(said.get("speed"), 0, SPEEDS.length - 1, view.speed);
  view.temperature = bounded(said.get("temperature"), 0.25, 4, 1);
  view.shown = oneOf(said.get("shown"), ["means", "states"], "means");
  view.noise = oneOf(said.get("noise"), NOISES, view.noise);
  view.topDown = bounded(said.get("topDown"), 0, 1, 0);
  view.doubt = said.get("doubt") === "1" ? 1 : 0;
  view.erased = oneOf(said.get("erased"), ERASED, view.erased);
  view.theme = oneOf(said.get("theme"), ["light", "dark"], "");
  const [layer, unit] = (said.get("unit") ?? "").split(".").map(Number);
  view.unit = layer >= 1 && layer < sizes.length && unit >= 0 && unit < sizes[layer] ? [Math.floor(layer), Math.floor(unit)] : null;
}

// A moment later, as browsers bear only so many changes of an address a second.
function writeAddress() {
  clearTimeout(writing);
  writing = setTimeout(() => history.replaceState(null, "", address()), 200);
}

function address() {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(view)) {
    if (value !== null && value !== "" && value !== "drawn") said.set(name, Array.isArray(value) ? value.join(".") : String(value));
  }
  if (view.picture === "drawn" && drawing.some((each) => each > 0)) said.set("drawn", packedDrawing());
  return `#${said}`;
}

// A drawing as text: sixteen levels of grey, two pixels a byte, in base64 of the kind that addresses take.
function packedDrawing() {
  const levels = Array.from(drawing, (each) => Math.round(15 * Math.max(0, Math.min(1, each))));
  let bytes = "";
  for (let at = 0; at < levels.length; at += 2) bytes += String.fromCharCode(16 * levels[at] + (levels[at + 1] ?? 0));
  return btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function unpackedDrawing(text) {
  const found = new Float32Array(PLANES * AREA);
  try {
    const bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    for (let at = 0; at < found.length; at++) {
      const byte = bytes.charCodeAt(at >> 1) || 0;
      found[at] = (at % 2 ? byte & 15 : byte >> 4) / 15;
    }
  } catch {
    return found; // an address that was cut off: a blank page
  }
  return found;
}

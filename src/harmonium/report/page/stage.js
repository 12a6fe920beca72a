// The net on the page: the top layer above, the pixels below, the label units beside the layer that they share the top machine with.
const grids = []; // of the layers 1, 2, ...; the pixels are pictures
const labelButtons = [];
const sees = sized(element("canvas", { id: "sees" }));
const believes = sized(element("canvas", { id: "believes" }));
const NAMES = { DBN: "deep belief net", DBM: "deep Boltzmann machine", RBM: "restricted Boltzmann machine" };

const layerName = (layer) => (layer === 0 ? "pixels" : `layer ${layer}`);

function buildStage({ onUnit, onLabel }) {
  const stage = byId("net");
  const trace = byId("trace");
  stage.replaceChildren(element("h2", { className: "unseen", textContent: `A ${NAMES[header.kind]}` }));
  for (let layer = header.sizes.length - 1; layer >= 1; layer--) {
    stage.append(layerRow(layer, onUnit, onLabel), connection(layer));
  }
  stage.append(pixelRow(onLabel, trace));
}

function layerRow(layer, onUnit, onLabel) {
  const size = header.sizes[layer];
  const canvas = element("canvas", { id: `layer-${layer}`, tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `Layer ${layer}, ${size} units. The arrow keys choose a unit.`);
  const grid = (grids[layer] = new Grid(canvas, size));
  canvas.addEventListener("pointerdown", (event) => {
    const box = canvas.getBoundingClientRect();
    const unit = grid.at((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    if (unit !== null) onUnit(layer, unit);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -grid.columns, ArrowDown: grid.columns }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    onUnit(layer, Math.max(0, Math.min(size - 1, (grid.selected ?? 0) + step)));
  });
  const row = element("div", { className: "layer" }, caption(layerName(layer), `${size} units`), canvas);
  if (labelCount && layer === header.directed) row.append(labelUnits(onLabel));
  return row;
}

const caption = (name, words) => element("p", { className: "caption" }, element("b", { textContent: name }), ` ${words}`);

// Which way a link's weights are used in a mode; the chain at the top works both ways.
const WAYS = { perceive: "up", complete: "both", denoise: "both", dream: "down", mind: "down" };

function connection(layer) {
  const link = element("div", { className: "link" });
  link.setAttribute("aria-hidden", "true");
  link.dataset.chain = layer > header.directed ? "yes" : "no";
  return link;
}

function showWays() {
  for (const link of document.querySelectorAll(".link")) {
    const chain = link.dataset.chain === "yes" && view.mode !== "perceive";
    const way = chain ? "both" : WAYS[view.mode];
    link.dataset.way = way;
    link.textContent = { up: "▲", down: "▼", both: "▲ ▼" }[way];
  }
}

function labelUnits(onLabel) {
  const group = element("div", { className: "labels" });
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Label units. In dreams and completions a label can be held.");
  header.classes.forEach((name, label) => {
    const fill = element("span", { className: "fill" });
    const button = element("button", { type: "button" }, element("span", { className: "bar" }, fill), element("span", { textContent: name }));
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => onLabel(label));
    labelButtons.push({ button, fill, shown: 0, target: 0 });
    group.append(button);
  });
  return group;
}

function pixelRow(onLabel, trace) {
  sees.setAttribute("role", "img");
  believes.setAttribute("role", "img");
  const pad = element("div", { className: "pad" }, sees);
  raw.className = "raw";
  raw.setAttribute("aria-hidden", "true");
  pad.append(raw);
  const row = element(
    "div",
    { id: "pixels", className: "layer pixels" },
    caption("pixels", `${header.shape.slice(PLANES === 1 ? 1 : 0).join(" × ")}`),
    element("figure", { id: "seen" }, pad, element("figcaption", { textContent: "what it sees" })),
    element("figure", { id: "believed" }, believes, element("figcaption", { id: "believed-words", textContent: "what it believes" })),
  );
  if (labelCount && header.directed === 0) row.append(labelUnits(onLabel));
  trace.querySelector("h2").textContent = header.directed ? "Energy of the top machine" : "Energy";
  row.append(trace);
  return row;
}

function showFrame(frame) {
  for (let layer = 1; layer < header.sizes.length; layer++) grids[layer].set(frame[view.shown][layer]);
  paintPicture(believes, frame.means[0]);
  labelButtons.forEach((each, label) => {
    each.target = view.shown === "states" || frame.probabilities === null ? Number(frame.label === label) : frame.probabilities[label];
  });
}

function paintStage(ease) {
  for (const grid of grids) grid?.paint(ease);
  for (const each of labelButtons) {
    const step = each.target - each.shown;
    if (step === 0) continue;
    each.shown = Math.abs(step) < 0.004 ? each.target : each.shown + ease * step;
    each.fill.style.transform = `scaleY(${each.shown})`;
  }
}

// The colours have changed, or the picture has.
function repaint(frame) {
  for (const grid of grids) if (grid) grid.stale = true;
  paintPicture(sees, given().pixels, view.mode === "complete" ? missing() : null);
  if (frame) paintPicture(believes, frame.means[0]);
}

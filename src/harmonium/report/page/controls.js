// Each mode: its name, what it shows in a sentence or two, and its own controls.
const MODES = {
  perceive: {
    name: "Perceive",
    heading: "It looks at a picture",
    story: () =>
      (canDraw ? "Draw on “what it sees”, or choose an image. " : "Choose an image. ") +
      "Each step is one pass upwards, in which every unit is drawn anew" +
      (labelCount ? "; so the label’s probabilities waver." : ". Below on the right is what the pass would draw."),
    controls: () => (canDraw ? [button("Clear the drawing", clear)] : []),
  },
  dream: {
    name: "Dream",
    heading: "It dreams",
    story: () =>
      "Nothing is shown to the net. " +
      (header.directed ? "The top two layers drive each other, and at each step what they hold goes down to the pixels." : "Its layers drive each other.") +
      (labelCount ? " Choose a label, and it dreams of that." : ""),
    controls: () => [...(labelCount ? [button("Any label", () => hold(null))] : []), skip(), temperature()],
  },
  mind: {
    name: "On its mind",
    heading: "What is on its mind",
    story: () => "It looks once at a picture, then shuts its eyes. " + (header.directed ? "The top layers go on from there, and we see what they would draw." : "Its layers go on from there."),
    controls: () => [skip(), temperature()],
  },
  complete: {
    name: "Complete",
    heading: "It completes a picture",
    story: () => "The chequered pixels are erased, and you can rub out more. The others are held fixed, and the net fills in what is missing" + (labelCount ? ", also as the label that you choose." : "."),
    controls: () => [choice("Erase", "erased", ERASED), ...(labelCount ? [button("Any label", () => hold(null))] : [])],
  },
  denoise: {
    name: "Denoise",
    heading: "It doubts its eyes",
    story: () =>
      "Ink that is not the digit’s own lies on the picture. Turn the weight of the layers above up, and with it that of the pixels down, slowly, and see what the first hidden layer would like to reconstruct.",
    controls: () => [choice("Noise", "noise", NOISES), slider("Top-down weight", "topDown", { min: 0, max: 1, step: 0.05 }), doubtBox()],
  },
};

// The modes that a net has: what is removed from the first hidden layer's input needs a layer above it.
const modesOf = () => Object.keys(MODES).filter((mode) => mode !== "denoise" || (header.directed > 0 && canDraw));

function button(words, act) {
  const found = element("button", { type: "button", textContent: words });
  found.addEventListener("click", act);
  return found;
}

function choice(words, name, options) {
  const select = element("select", {}, ...options.map((each) => element("option", { value: each, textContent: each })));
  select.value = view[name];
  select.addEventListener("change", () => change({ [name]: select.value }, true));
  return element("label", {}, `${words} `, select);
}

function slider(words, name, range) {
  const input = element("input", { type: "range", ...range });
  input.value = view[name];
  const output = element("output", { textContent: Number(view[name]).toFixed(2) });
  input.addEventListener("input", () => {
    output.textContent = Number(input.value).toFixed(2);
    turn({ [name]: Number(input.value) });
  });
  return element("label", { className: "slider" }, `${words} `, input, output);
}

const skip = () => button("Skip 1,000 sweeps", () => step(1000)); // a chain forgets where it began within about so many

const temperature = () => slider("Temperature", "temperature", { min: 0.25, max: 4, step: 0.05 });

function doubtBox() {
  const box = element("input", { type: "checkbox", checked: view.doubt === 1 });
  box.addEventListener("change", () => turn({ doubt: Number(box.checked) }));
  return element("label", {}, box, " doubt pixels that the layers above cannot account for");
}

function buildTabs(modes) {
  byId("modes").replaceChildren(
    ...modes.map((mode) => {
      const tab = button(MODES[mode].name, () => change({ mode }, true));
      tab.id = `mode-${mode}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", "panel");
      return tab;
    }),
  );
  byId("modes").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.stopPropagation();
    const next = modes[(modes.indexOf(view.mode) + step + modes.length) % modes.length];
    change({ mode: next }, true);
    byId(`mode-${next}`).focus();
  });
}

// The mode's panel, and all marks of what is chosen.
function showControls(modes) {
  for (const mode of modes) {
    const tab = byId(`mode-${mode}`);
    tab.setAttribute("aria-selected", String(mode === view.mode));
    tab.tabIndex = mode === view.mode ? 0 : -1;
  }
  const { heading, story, controls } = MODES[view.mode];
  byId("panel").setAttribute("aria-labelledby", `mode-${view.mode}`);
  byId("heading").textContent = heading;
  byId("story").textContent = story();
  byId("controls").replaceChildren(...controls());
  byId("net").dataset.mode = view.mode;
  byId("believed-words").textContent = { perceive: "what it would draw", denoise: "what it would reconstruct" }[view.mode] ?? "what it believes";
  showWays();
}

// Labels can be held where the net makes something up.
function markLabels() {
  const holds = view.mode === "dream" || view.mode === "complete";
  labelButtons.forEach(({ button: each }, label) => {
    each.setAttribute("aria-pressed", String(holds && view.held === label));
    each.disabled = !holds;
  });
}

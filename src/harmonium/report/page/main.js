// The page's clock, its switches, and its beginning.
let playing = true;
let busy = false;
let due = 0;
let era = 0; // of the present beginning: frames of earlier ones are dropped
let frame = null;
let spoken = "";

// A change of the view. `anew`: the mode begins again.
function change(patch, anew = false) {
  const unit = view.unit;
  Object.assign(view, patch);
  if (anew) {
    showControls(modesOf());
    begin();
  }
  showTime();
  markPicture();
  markLabels();
  if (view.unit !== unit) inspect();
  writeAddress();
}

// A change of how the net goes on. Where time is paused it makes one step, to show what it does.
function turn(patch) {
  change(patch);
  if (!playing) step();
}

const hold = (label) => turn({ held: view.held === label ? null : label });

function begin() {
  era += 1;
  spoken = "";
  forgetTrace();
  repaint(null);
  describePicture();
  ask("begin", given()).catch(fail);
  step();
}

async function step(times = playing ? timesAFrame() : 1) {
  const own = era;
  busy = true;
  try {
    const { held, temperature, topDown, doubt } = view;
    const found = await ask("step", { held, temperature, topDown, doubt: 0.2 * doubt, times });
    if (own === era) show(found);
  } catch (error) {
    fail(error);
  }
  if (own === era) busy = false;
}

function show(found) {
  frame = found;
  showFrame(frame);
  addToTrace(frame);
  byId("count").textContent = `step ${frame.count}`;
  say();
}

// What the net says of a picture. Readers of screens hear it when it changes.
function say() {
  const verdict = view.mode === "perceive" || view.mode === "denoise" ? frame.verdict : null;
  byId("verdict").textContent = "";
  if (!verdict) return;
  const best = verdict.indexOf(Math.max(...verdict));
  const truth = header.truth !== null && view.picture !== "drawn" ? header.truth[view.picture] : null;
  const name = header.classes[best];
  byId("verdict").textContent =
    `It says ${name}, with probability ${verdict[best].toFixed(2)}` + (truth === null || truth === best ? "." : `; it is ${header.classes[truth] ?? truth}.`);
  if (spoken === name || view.mode !== "perceive") return;
  spoken = name;
  byId("live").textContent = `The net says ${name}.`;
}

function describePicture() {
  const what = view.picture === "drawn" ? "your drawing" : `image ${view.picture + 1}`;
  sees.setAttribute("aria-label", view.mode === "dream" ? "nothing" : `What the net sees: ${what}`);
  believes.setAttribute("aria-label", "What the net would draw");
  byId("seen").hidden = view.mode === "dream";
}

// Only sweeps are skipped: in the other modes each step is shown, at most `FRAMES` a second.
const sweeping = () => view.mode === "dream" || view.mode === "mind";
const stepsASecond = () => (sweeping() ? SPEEDS[view.speed] : Math.min(FRAMES, SPEEDS[view.speed]));
const timesAFrame = () => Math.max(1, Math.round(stepsASecond() / FRAMES));

function tick(now) {
  if (watching) setTimeout(() => requestAnimationFrame(tick), 1000 / FRAMES);
  else requestAnimationFrame(tick);
  if (playing && !busy && now >= due) {
    due = Math.max(now - 50, due) + (1000 * timesAFrame()) / stepsASecond();
    step();
  }
  paintStage(still.matches || watching ? 1 : 0.35); // smooth movement would paint every frame
}

function play(on) {
  playing = on;
  showTime();
}

function showTime() {
  byId("play").textContent = playing ? "Pause" : "Play";
  byId("speed").value = view.speed;
  byId("speed-words").textContent = `${stepsASecond()} a second`;
  byId("speed").setAttribute("aria-valuetext", `${stepsASecond()} steps a second`);
  byId("seed").value = view.seed;
  for (const each of document.getElementsByName("shown")) each.checked = each.value === view.shown;
}

function clear() {
  clearDrawing();
  change({ picture: "drawn" }, true);
}

const THEMES = { "": ["◐", "as the system"], light: ["☀", "light"], dark: ["☾", "dark"] };

function showTheme() {
  document.documentElement.dataset.theme = view.theme;
  const [sign, words] = THEMES[view.theme];
  byId("theme").textContent = sign;
  byId("theme").setAttribute("aria-label", `Colours: ${words}`);
  readColours();
  repaint(frame);
  paintGallery();
  paintTrace();
  inspect();
}

function listen() {
  byId("play").addEventListener("click", () => play(!playing));
  byId("single").addEventListener("click", single);
  byId("again").addEventListener("click", () => change({}, true));
  byId("speed").addEventListener("input", (event) => change({ speed: Number(event.target.value) }));
  byId("seed").addEventListener("change", (event) => change({ seed: whole(event.target.value, 0, 4294967295, 1) }, true));
  for (const each of document.getElementsByName("shown")) {
    each.addEventListener("change", () => {
      change({ shown: each.value });
      if (frame) showFrame(frame);
    });
  }
  byId("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    view.theme = names[(names.indexOf(view.theme) + 1) % names.length];
    showTheme();
    writeAddress();
  });
  byId("share").addEventListener("click", share);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  addEventListener("hashchange", arrive);
  addEventListener("keydown", shortcut);
  listenToTour();
  listenToPen(sees, { changed: drawn, done: settled });
}

async function share() {
  try {
    await navigator.clipboard.writeText(location.href.replace(/#.*/, "") + address());
    byId("live").textContent = byId("share").textContent = "Copied";
  } catch {
    byId("share").textContent = "See the address"; // no clipboard for a file of the disk
  }
  setTimeout(() => (byId("share").textContent = "Copy link"), 2000);
}

function single() {
  play(false);
  step();
}

function shortcut(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, summary, [role=tab]")) return;
  if (event.key === " " && event.target.closest("button")) return; // a button's own key
  const touring = stop === null ? {} : { Escape: endTour, PageDown: nextStop, PageUp: previousStop }; // a presenter's buttons are these
  const acts = { " ": () => play(!playing), ".": single, r: () => change({}, true), t: () => goTo(0), "-": () => hold(null), ...touring };
  const act = acts[event.key] ?? (/^\d$/.test(event.key) && Number(event.key) < labelCount ? () => hold(Number(event.key)) : null);
  if (!act) return;
  event.preventDefault();
  act();
}

// While the pen is down the ink itself is shown; then the picture as the net gets it.
function drawn() {
  byId("seen").classList.toggle("drawing", view.mode !== "complete");
  if (view.mode === "complete") repaint(frame);
  else if (!busy) begin();
}

function settled() {
  byId("seen").classList.remove("drawing");
  change({}, true);
}

function fail(error) {
  byId("verdict").textContent = `The page has failed: ${error.message}`;
}

// The view that the address asks for.
function arrive() {
  readAddress(modesOf(), header.sizes, images.length);
  showTheme();
  change({}, true);
}

async function open() {
  readColours();
  ({ images } = await ask("load", { header, block: byId("block").textContent }));
  buildStage({ onUnit: (layer, unit) => change({ unit: [layer, unit] }), onLabel: hold });
  buildTabs(modesOf());
  buildGallery((image) => change({ picture: image }, true));
  listen();
  arrive();
  requestAnimationFrame(tick);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

globalThis.harmonium = { ask, view, get frame() { return frame; } };
const opened = open().catch((error) => (byId("opening").textContent = `The net cannot be unpacked: ${error.message}`));

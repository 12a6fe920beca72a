// A run that is learning: its server is asked for news, and for the newest net when there is one.
const EVERY = 3000; // milliseconds
const REST = 20; // times as long as it took to take in a net and to survey it: the run has the processor to itself
const SHOWN = { fields: 40, fantasies: 10, sweeps: 20 };
const POINTS = 200; // dots of a curve's canvas for its height
const activity = []; // grids of the layers 1, 2, ...
let version = header.version;
let latest = null;
let renewing = false;
let rested = 0; // when the next net may be taken in, unless it is asked for

async function heard(name, options = {}) {
  const answer = await fetch(name, { cache: "no-store", ...options });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function follow() {
  try {
    if (!document.hidden && byId("follow").checked) await listenToRun(performance.now() >= rested);
  } catch (error) {
    byId("news").textContent = `The page goes on with the last net: ${error instanceof TypeError ? "its server does not answer." : error.message}`;
  }
  setTimeout(follow, EVERY);
}

async function listenToRun(taking = true) {
  latest = await heard("news");
  showNews();
  if (taking && latest.version !== version) await renew();
}

function showNews() {
  const { phase, rows, word, finished, seconds } = latest;
  const at = rows.length ? `${phase}, epoch ${rows.at(-1).epoch}` : "";
  const age = seconds === null ? "" : `last checkpoint ${spell(seconds)} ago`;
  const said = [finished ? "The run has finished" : at, finished ? "" : age].filter(Boolean).join("; ");
  byId("news").textContent = [said && `${said}.`, `Net ${version} since watching began.`, word].filter(Boolean).join(" ");
  paintProgress();
}

const spell = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`);

// The net's parts that the page was built for: with others it is opened anew.
const parts = ({ kind, directed, sizes, shape, classes }) => JSON.stringify([kind, directed, sizes, shape, classes]);

async function renew() {
  if (renewing) return;
  renewing = true;
  const began = performance.now();
  try {
    const found = await heard("net", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ have: version }) });
    if (!found.header) return;
    if (parts(found.header) !== parts(header)) return location.reload();
    await ask("renew", found);
    version = found.version;
    if (latest) showNews();
    if (!sweeping()) begin(); // a dream goes on
    inspect();
    await survey();
  } finally {
    renewing = false;
    rested = performance.now() + REST * (performance.now() - began);
  }
}

// One question at a time, so that the mode that plays has its turns between.
async function survey() {
  paintFields(await ask("fields", { count: SHOWN.fields }));
  const seen = [];
  for (let chain = 0; chain < SHOWN.fantasies; chain++) {
    seen.push(await ask("fantasy", { chain, sweeps: SHOWN.sweeps }));
    paintMany("fantasies", chain, (canvas) => paintPicture(canvas, seen[chain].picture));
  }
  showActivity((await ask("activity")) ?? averages(seen.map(({ states }) => states)));
}

const averages = (all) => header.sizes.map((size, layer) => Float32Array.from({ length: size }, (_, unit) => all.reduce((sum, each) => sum + each[layer][unit], 0) / all.length));

function paintMany(id, place, paint) {
  const canvas = byId(id).children[place] ?? byId(id).appendChild(sized(element("canvas")));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", id === "fields" ? `Filter of unit ${place + 1}` : `Fantasy ${place + 1}${labelCount ? `, ${header.classes[place % labelCount]} held` : ""}`);
  paint(canvas);
}

function paintFields(fields) {
  byId("fields-name").textContent = fields.length < header.sizes[1] ? `Filters: the first ${fields.length} units of layer 1` : "Filters of layer 1";
  fields.forEach((values, unit) => paintMany("fields", unit, (canvas) => paintField(canvas, values)));
}

function showActivity(layers) {
  byId("activity-words").textContent = `How often each unit is on, over the ${images.length ? "page's images" : "fantasies"}.`;
  for (let layer = 1; layer < header.sizes.length; layer++) {
    if (!activity[layer]) {
      const canvas = element("canvas");
      canvas.setAttribute("role", "img");
      activity[layer] = new Grid(canvas, header.sizes[layer]);
      byId("activity").append(element("figure", {}, canvas, element("figcaption")));
    }
    const { canvas } = activity[layer];
    const mean = layers[layer].reduce((sum, each) => sum + each, 0) / layers[layer].length;
    const silent = layers[layer].filter((each) => each < 0.01).length;
    const words = `layer ${layer}: on ${Math.round(100 * mean)} % of the time; ${silent} of ${layers[layer].length} units less than 1 %`;
    canvas.setAttribute("aria-label", words);
    canvas.nextSibling.textContent = words;
    activity[layer].set(layers[layer]);
    activity[layer].paint(1);
  }
}

// One curve for each figure of the present phase, over its epochs.
function paintProgress() {
  const { rows } = latest;
  const names = rows.length ? Object.keys(rows.at(-1)).filter((name) => !["epoch", "step", "seconds"].includes(name)) : [];
  const room = byId("progress");
  if (room.dataset.names !== names.join()) {
    room.dataset.names = names.join();
    room.replaceChildren(...names.map(() => element("figure", {}, element("canvas", { width: 3 * POINTS, height: POINTS }), element("figcaption"))));
  }
  names.forEach((name, place) => {
    const points = rows.filter((row) => typeof row[name] === "number").map((row) => [row.epoch, row[name]]);
    const figure = room.children[place];
    const words = points.length ? `${name.replaceAll("_", " ")}: ${figured(points[0][1])} at epoch ${points[0][0]}, ${figured(points.at(-1)[1])} at ${points.at(-1)[0]}` : name;
    figure.lastChild.textContent = words;
    figure.firstChild.setAttribute("role", "img");
    figure.firstChild.setAttribute("aria-label", words);
    paintCurve(figure.firstChild, points);
  });
}

const figured = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

function paintCurve(canvas, points) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  if (!points.length) return;
  const [low, high] = [Math.min(...points.map(([, y]) => y)), Math.max(...points.map(([, y]) => y))];
  const [from, to] = [points[0][0], points.at(-1)[0]];
  context.strokeStyle = context.fillStyle = css(colours.minus);
  context.lineWidth = 4;
  context.lineJoin = "round";
  context.beginPath();
  const placed = ([x, y]) => [8 + ((x - from) / Math.max(1, to - from)) * (width - 16), height - 8 - ((y - low) / (high - low || 1)) * (height - 16)];
  for (const point of points) context.lineTo(...placed(point));
  context.stroke();
  context.beginPath();
  context.arc(...placed(points.at(-1)), 6, 0, 7);
  context.fill();
}

// The colours have changed.
function repaintLearning() {
  for (const grid of activity) {
    if (!grid) continue;
    grid.stale = true;
    grid.paint(1);
  }
  if (latest) paintProgress();
  survey().catch(fail);
}

opened.then(() => {
  byId("to-learning").addEventListener("click", () => {
    byId("learning").scrollIntoView();
    byId("learning").focus({ preventScroll: true });
  });
  byId("renew").addEventListener("click", () => listenToRun().catch(fail));
  byId("theme").addEventListener("click", repaintLearning);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaintLearning);
  survey().catch(fail);
  follow();
});

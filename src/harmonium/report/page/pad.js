// The picture that the net is shown: drawn by hand, chosen, part of it erased, or covered with noise.
const raw = element("canvas", { width: 10 * WIDTH, height: 10 * HEIGHT }); // what the pen drew, before it is centred
const rawContext = raw.getContext("2d", { willReadFrequently: true });
const BOX = Math.min(WIDTH, HEIGHT) >= 20 ? 20 / 28 : 1; // the side of the square that a drawing is fitted to, as MNIST's digits were
const canDraw = PLANES === 1 && header.variance === null;
let erasedByHand = new Uint8Array(PLANES * AREA);
let images = []; // of the page, once the worker has unpacked them

const picture = () => (view.picture === "drawn" ? drawing : images[view.picture]);

// What a mode begins with: the picture, with noise where that is the mode, and which of its pixels are erased.
function given() {
  const pixels = view.mode === "denoise" ? noisy(picture()) : picture();
  return { mode: view.mode, seed: view.seed, pixels, missing: view.mode === "complete" ? missing() : null };
}

const everyPixel = (holds) => Uint8Array.from({ length: PLANES * AREA }, (_, at) => holds(Math.floor((at % AREA) / WIDTH), at % WIDTH));

function missing() {
  const middle = (place, size) => place >= size / 4 && place < (3 * size) / 4;
  const holds = {
    "lower half": (row) => row >= HEIGHT / 2,
    "upper half": (row) => row < HEIGHT / 2,
    "left half": (row, column) => column < WIDTH / 2,
    "right half": (row, column) => column >= WIDTH / 2,
    middle: (row, column) => middle(row, HEIGHT) && middle(column, WIDTH),
  }[view.erased];
  return holds ? everyPixel(holds) : erasedByHand;
}

// The picture under ink that is not its own, as `hm.data.noise` puts it there: four strokes, a block, or a border.
function noisy(pixels) {
  const uniform = generator(view.seed);
  const side = Math.round(Math.min(WIDTH, HEIGHT) * (2 / 7));
  const edge = Math.max(1, Math.round(Math.min(WIDTH, HEIGHT) / 9));
  const [top, left] = [HEIGHT, WIDTH].map((size) => Math.floor(uniform() * (size - side + 1)));
  const lines = Array.from({ length: 4 }, () => [uniform() * Math.PI, uniform() * WIDTH, uniform() * HEIGHT]);
  const inked = {
    none: () => false,
    strokes: (row, column) =>
      lines.some(([turn, x, y]) => Math.abs((column + 0.5 - x) * Math.sin(turn) - (row + 0.5 - y) * Math.cos(turn)) < WIDTH / 28),
    block: (row, column) => row >= top && row < top + side && column >= left && column < left + side,
    border: (row, column) => Math.min(row, column, HEIGHT - 1 - row, WIDTH - 1 - column) < edge,
  }[view.noise];
  const ink = everyPixel(inked);
  return pixels.map((each, at) => (ink[at] ? header.limits[1] : each));
}

// The pen. `canvas`: what is drawn on; `changed` is told of every stroke, `done` of its end.
function listenToPen(canvas, { changed, done }) {
  let last = null;
  const place = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [((clientX - box.left) / box.width) * raw.width, ((clientY - box.top) / box.height) * raw.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!penWorks() || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
    changed();
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const each of between.length ? between : [event]) {
      const next = place(each);
      stroke(last, next);
      last = next;
    }
    changed();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (last) done();
      last = null;
    });
  }
}

const penWorks = () => (view.mode === "complete" ? true : canDraw && view.mode !== "dream" && view.mode !== "denoise");

function stroke(from, to) {
  if (view.mode === "complete") {
    if (view.erased !== "by hand") erasedByHand = Uint8Array.from(missing());
    view.erased = "by hand";
    const [x, y] = to.map((each) => each / 10);
    erasedByHand = erasedByHand.map((each, at) => each || Math.hypot((at % WIDTH) + 0.5 - x, Math.floor((at % AREA) / WIDTH) + 0.5 - y) < WIDTH / 14);
    return;
  }
  if (view.picture !== "drawn") clearDrawing();
  rawContext.lineWidth = raw.width * 0.085;
  rawContext.lineCap = rawContext.lineJoin = "round";
  rawContext.strokeStyle = "#fff";
  rawContext.beginPath();
  rawContext.moveTo(...from);
  rawContext.lineTo(to[0] + 0.01, to[1]);
  rawContext.stroke();
  drawing = centred();
}

function clearDrawing() {
  rawContext.clearRect(0, 0, raw.width, raw.height);
  drawing = new Float32Array(PLANES * AREA);
  view.picture = "drawn";
}

// As MNIST's digits were: fitted to a square of 20 by 20 pixels, and its centre of mass put at the centre of 28 by 28.
function centred() {
  const dots = rawContext.getImageData(0, 0, raw.width, raw.height).data;
  let [left, top, right, bottom] = [raw.width, raw.height, -1, -1];
  for (let dot = 0; dot < raw.width * raw.height; dot++) {
    if (dots[4 * dot + 3] < 32) continue;
    const [x, y] = [dot % raw.width, Math.floor(dot / raw.width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }
  if (right < 0) return new Float32Array(AREA);
  const [across, down] = [right - left + 1, bottom - top + 1];
  const scale = (BOX * Math.min(WIDTH, HEIGHT)) / Math.max(across, down);
  const small = element("canvas", { width: WIDTH, height: HEIGHT });
  const context = small.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(raw, left, top, across, down, 0, 0, across * scale, down * scale);
  const alpha = context.getImageData(0, 0, WIDTH, HEIGHT).data;
  const ink = Array.from({ length: AREA }, (_, pixel) => alpha[4 * pixel + 3] / 255);
  return moved(ink);
}

function moved(ink) {
  const mass = ink.reduce((total, each) => total + each, 0);
  const x = ink.reduce((total, each, pixel) => total + each * (pixel % WIDTH), 0) / mass;
  const y = ink.reduce((total, each, pixel) => total + each * Math.floor(pixel / WIDTH), 0) / mass;
  const [right, down] = [Math.round((WIDTH - 1) / 2 - x), Math.round((HEIGHT - 1) / 2 - y)];
  const found = new Float32Array(AREA);
  ink.forEach((each, pixel) => {
    const [column, row] = [(pixel % WIDTH) + right, Math.floor(pixel / WIDTH) + down];
    if (column >= 0 && column < WIDTH && row >= 0 && row < HEIGHT) found[row * WIDTH + column] = each;
  });
  return found;
}

// Pictures of the data's pixels on canvases of one dot a pixel, which the style sheet enlarges.
const header = JSON.parse(document.getElementById("header").textContent);
const [PLANES, HEIGHT, WIDTH] = header.shape;
const AREA = HEIGHT * WIDTH;

function sized(canvas) {
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  canvas.style.aspectRatio = `${WIDTH} / ${HEIGHT}`;
  return canvas;
}

// Grey or colour values between the page's limits; `missing` pixels are chequered.
function paintPicture(canvas, pixels, missing = null) {
  const [low, high] = header.limits;
  const at = (place) => level((pixels[place] - low) / (high - low));
  paintDots(canvas, (pixel) => {
    if (missing && missing[pixel]) return packed(between(colours.paper, colours.minus, (pixel + Math.floor(pixel / WIDTH)) % 2 ? 0.45 : 0.15));
    if (PLANES === 1) return colours.pixels[at(pixel)];
    return packed([0, 1, 2].map((plane) => at(plane * AREA + pixel)));
  });
}

// Signed values, blue below zero and orange above, on the scale of the largest.
function paintField(canvas, values) {
  const most = values.reduce((best, each) => Math.max(best, Math.abs(each)), 1e-12);
  const shade = (value) => between(colours.paper, value < 0 ? colours.minus : colours.plus, Math.abs(value) / most);
  paintDots(canvas, (pixel) => {
    if (PLANES === 1) return packed(shade(values[pixel]));
    return packed([0, 1, 2].map((plane) => level(0.5 + values[plane * AREA + pixel] / most / 2)));
  });
}

function paintDots(canvas, colour) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(WIDTH, HEIGHT);
  const dots = new Uint32Array(image.data.buffer);
  for (let pixel = 0; pixel < AREA; pixel++) dots[pixel] = colour(pixel);
  context.putImageData(image, 0, 0);
}

// An element with properties and children. Text is text: nothing is read as HTML.
function element(name, properties = {}, ...children) {
  const found = Object.assign(document.createElement(name), properties);
  found.append(...children);
  return found;
}

const byId = (id) => document.getElementById(id);

// A layer of units as a grid of squares on a canvas. What is shown moves smoothly towards what the layer holds.
class Grid {
  constructor(canvas, size) {
    this.canvas = canvas;
    this.size = size;
    this.columns = columnsOf(size);
    this.rows = Math.ceil(size / this.columns);
    this.cell = Math.max(8, Math.min(32, Math.floor(800 / this.columns))); // dots of the canvas for a unit
    this.square = this.cell - Math.ceil(this.cell / 10); // those that are not a gap
    this.target = new Float32Array(size);
    this.shown = new Float32Array(size);
    this.selected = null;
    this.stale = true;
    canvas.width = this.columns * this.cell;
    canvas.height = this.rows * this.cell;
    canvas.style.maxWidth = `${2.4 * this.columns}rem`;
    this.context = canvas.getContext("2d");
    this.image = this.context.createImageData(canvas.width, canvas.height);
    this.dots = new Uint32Array(this.image.data.buffer);
  }

  set(values) {
    this.target = values;
    this.stale = true;
  }

  select(unit) {
    this.selected = unit;
    this.stale = true;
  }

  // The unit at a place of the canvas, from 0 to 1 across and down.
  at(across, down) {
    const unit = Math.floor(down * this.rows) * this.columns + Math.floor(across * this.columns);
    return unit >= 0 && unit < this.size ? unit : null;
  }

  // Draws, if anything has changed; `ease` is the share of the way that is gone at once.
  paint(ease) {
    if (!this.stale) return;
    let moving = false;
    for (let unit = 0; unit < this.size; unit++) {
      const step = this.target[unit] - this.shown[unit];
      if (Math.abs(step) > 0.004) moving = true;
      this.shown[unit] += Math.abs(step) > 0.004 ? ease * step : step;
      this.fill(unit, colours.units[level(this.shown[unit])]);
    }
    this.context.putImageData(this.image, 0, 0);
    if (this.selected !== null) this.mark(this.selected);
    this.stale = moving;
  }

  corner(unit) {
    return [(unit % this.columns) * this.cell, Math.floor(unit / this.columns) * this.cell];
  }

  fill(unit, colour) {
    const [left, top] = this.corner(unit);
    for (let row = top; row < top + this.square; row++) {
      const start = row * this.canvas.width + left;
      this.dots.fill(colour, start, start + this.square);
    }
  }

  mark(unit) {
    const [left, top] = this.corner(unit);
    const width = Math.max(2, this.cell / 6);
    this.context.strokeStyle = css(colours.plus);
    this.context.lineWidth = width;
    this.context.strokeRect(left + width / 2, top + width / 2, this.square - width, this.square - width);
  }
}

// Columns of a grid about six times as wide as high, without a ragged last row where the size allows it.
function columnsOf(size) {
  const wanted = Math.sqrt(6 * size);
  const far = (columns) => Math.abs(Math.log(columns / wanted));
  let best = Math.ceil(wanted);
  for (let columns = 1; columns <= size; columns++) {
    const fits = size % columns === 0 && far(columns) < Math.log(1.6);
    if (fits && (size % best !== 0 || far(columns) < far(best))) best = columns;
  }
  return best;
}

// What the net does in each mode, one step at a time. A step gives a frame: what every layer holds, and the energies of the top machine.
class Mind {
  constructor(net, images) {
    this.net = net;
    this.images = images;
  }

  // `pixels`: the picture that a mode begins with; `missing`: of completion, 1 where the picture is erased.
  begin({ mode, seed, pixels, missing }) {
    this.uniform = generator(seed);
    this.mode = mode;
    this.pixels = pixels;
    this.missing = missing;
    this.count = 0;
    this.verdict = null;
    if (mode === "dream") this.chain = this.anywhere();
    if (mode === "mind") this.chain = this.recognised(pixels);
    if (mode === "complete") this.present = this.filled();
    if (mode === "denoise") this.topDown = new TopDown(this.net, pixels, this.uniform);
    if (mode === "perceive" && this.net.labels) {
      const { states } = this.net.recognise(pixels);
      this.verdict = softmax(this.net.labelFreeEnergies(states[this.net.base]).map((each) => -each));
    }
  }

  step(settings) {
    const times = settings.times ?? 1;
    this.count += times;
    for (let skipped = 1; skipped < times; skipped++) this.skip(settings);
    const frame = this[this.mode](settings);
    return { ...frame, count: this.count, verdict: this.verdict };
  }

  // A step that nobody sees: a sweep where sweeps are the step. Elsewhere a frame is a step.
  skip({ held, temperature }) {
    if (this.mode === "dream") this.net.sweep(this.chain, this.uniform, { held, temperature });
    if (this.mode === "mind") this.net.sweep(this.chain, this.uniform, { temperature });
  }

  // A stochastic pass upwards, the label's probabilities by free energy, and what the pass would draw.
  perceive() {
    const chain = this.recognised(this.pixels);
    const drawn = [...chain.means];
    this.net.generate([...chain.states], drawn, this.uniform);
    return this.frame({ ...chain, means: [drawn[0], ...chain.means.slice(1)] });
  }

  dream({ held, temperature }) {
    this.net.sweep(this.chain, this.uniform, { held, temperature });
    return this.fantasy(this.chain);
  }

  mind({ temperature }) {
    this.net.sweep(this.chain, this.uniform, { temperature });
    return this.fantasy(this.chain);
  }

  // Clamped Gibbs sampling. Below a top machine: up, ten sweeps there, and down, of which the missing pixels are kept.
  complete({ held }) {
    const { net, uniform } = this;
    const chain = net.base || !this.chain ? this.recognised(this.present, held) : this.chain;
    for (let sweep = 0; sweep < (net.base ? 10 : 1); sweep++) net.sweep(chain, uniform, { held });
    net.generate(chain.states, chain.means, uniform);
    const drawn = net.draw(0, chain.means[0], uniform);
    const keep = (made) => made.map((each, pixel) => (this.missing[pixel] ? each : this.pixels[pixel]));
    this.present = chain.states[0] = keep(drawn);
    chain.means[0] = keep(chain.means[0]);
    this.chain = chain;
    return this.frame(chain);
  }

  denoise({ topDown, doubt }) {
    const { net } = this;
    this.topDown.step(1 - topDown, topDown, doubt);
    const { chain, reconstruction, recognised } = this.topDown;
    if (net.labels) this.verdict = softmax(net.labelFreeEnergies(recognised).map((each) => -each));
    const states = [reconstruction, ...chain.states.slice(1)];
    return this.frame({ ...chain, states, means: [reconstruction, ...chain.means.slice(1)], labelMean: this.verdict });
  }

  // Random states of the chain: draws from the units' own biases.
  anywhere() {
    const { net, uniform } = this;
    const chain = { states: [], means: [], label: null, labelMean: null };
    for (let layer = net.base; layer <= net.top; layer++) {
      chain.means[layer] = net.mean(layer, net.bias(layer));
      chain.states[layer] = net.draw(layer, chain.means[layer], uniform);
    }
    if (net.labels) chain.label = net.oneLabel(chosen((chain.labelMean = softmax(net.labels.bias)), uniform));
    return chain;
  }

  // A chain whose states are drawn from a picture, the label from p(label | picture) unless it is held.
  recognised(pixels, held = null) {
    const { net, uniform } = this;
    const chain = net.recognise(pixels, uniform);
    const base = chain.states[net.base];
    if (net.labels) {
      chain.labelMean = softmax(net.labelFreeEnergies(base).map((each) => -each));
      chain.label = net.oneLabel(held ?? chosen(chain.labelMean, uniform));
    }
    const above = net.infer(base, chain.label);
    for (let layer = net.base + 1; layer <= net.top; layer++) {
      chain.means[layer] = above[layer];
      chain.states[layer] = net.draw(layer, above[layer], uniform);
    }
    return chain;
  }

  // The picture with draws from the pixels' biases where it is erased.
  filled() {
    const { net } = this;
    this.chain = null;
    const drawn = net.draw(0, net.mean(0, net.down[0]), this.uniform);
    return drawn.map((each, pixel) => (this.missing[pixel] ? each : this.pixels[pixel]));
  }

  // A chain's states with one top-down pass. The chain keeps its own.
  fantasy(chain) {
    const shown = { ...chain, states: [...chain.states], means: [...chain.means] };
    this.net.generate(shown.states, shown.means, this.uniform);
    return this.frame(shown);
  }

  frame({ states, means, label, labelMean }) {
    const { net } = this;
    const which = net.labels ? label.indexOf(Math.max(...label)) : null;
    return {
      states: states.map((each) => Float32Array.from(each)),
      means: means.map((each) => Float32Array.from(each)),
      label: which,
      probabilities: labelMean && Array.from(labelMean),
      ...net.energies(states, which),
    };
  }

  // What a unit sees, what it adds to the picture when it alone is on, and which of the page's images turn it on.
  inspect({ layer, unit }) {
    const { net } = this;
    const off = net.zeros[layer];
    const on = off.map((_, each) => Number(each === unit));
    let sees = on;
    for (let below = layer - 1; below >= 0; below--) sees = downwards(net.links[below].up, sees, net.zeros[below]);
    const [without, drawn] = [off, on].map((states) => this.pictured(layer, states));
    const strengths = this.responses().map((layers) => layers[layer][unit]);
    const order = strengths.map((_, image) => image).sort((a, b) => strengths[b] - strengths[a]);
    const draws = Float32Array.from(drawn, (each, pixel) => each - without[pixel]);
    return { sees: Float32Array.from(sees), draws, best: order.slice(0, 10), strengths };
  }

  // The picture that a layer's states draw, by means all the way down.
  pictured(layer, states) {
    let found = states;
    for (let below = layer - 1; below >= 0; below--) found = this.net.mean(below, this.net.fromAbove(below, found, this.net.down[below]));
    return found;
  }

  // The means of all layers for each image of the page, found when they are first asked for.
  responses() {
    this.known ??= this.images.map((pixels) => {
      const { states } = this.net.recognise(pixels);
      const label = this.net.labels && softmax(this.net.labelFreeEnergies(states[this.net.base]).map((each) => -each));
      return [...states, ...this.net.infer(states[this.net.base], label).slice(this.net.base + 1)];
    });
    return this.known;
  }
}

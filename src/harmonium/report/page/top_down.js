// Noise removed by top-down effects, as hm.sampling.top_down does it. α weighs the first hidden layer's input from below, β that from above:
//
//   input to x1 = α W'v + β W2 x2 + (α c + β b) / (α + β)        c, b: the layer's recognition and generative biases
//
// With doubt ε each pixel is clean with prior probability 1 - ε and a coin toss otherwise. To the extent that it is no clean one, given what
// the first layer would draw, it is replaced by that.
class TopDown {
  constructor(net, pixels, uniform) {
    this.net = net;
    this.pixels = pixels;
    this.uniform = uniform;
    this.below = net.fromBelow(1, pixels, net.zeros[1]);
    this.label = net.labels && softmax(net.labels.bias);
    this.above(this.drawn(this.below.map((each, unit) => each + net.up[1][unit])));
  }

  drawn(input) {
    this.mean = this.net.mean(1, input);
    return this.uniform ? this.net.draw(1, this.mean, this.uniform) : this.mean;
  }

  step(bottomUp, topDown, doubt = 0) {
    const { net, input } = this;
    const below = doubt ? net.fromBelow(1, this.believed(doubt), net.zeros[1]) : this.below;
    const all = bottomUp + topDown;
    const mixed = net.up[1].map((own, unit) => (bottomUp * own + topDown * net.down[1][unit]) / all);
    this.above(this.drawn(below.map((each, unit) => bottomUp * each + topDown * input[unit] + mixed[unit])));
  }

  believed(doubt) {
    return this.wanted.map((total, pixel) => {
      const seen = this.pixels[pixel];
      const clean = logistic(Math.log(1 - doubt) - Math.log(doubt) + seen * total - softplus(total) + Math.log(2));
      return clean * seen + (1 - clean) * logistic(total);
    });
  }

  // All layers above the first, inferred from it, and what they then send down to it and it to the pixels.
  above(first) {
    const { net, uniform } = this;
    const chain = { states: [null, first], means: [null, this.mean], label: this.label };
    for (let layer = 2; layer <= net.base; layer++) {
      chain.means[layer] = net.mean(layer, net.fromBelow(layer, chain.states[layer - 1], net.up[layer]));
      chain.states[layer] = uniform ? net.draw(layer, chain.means[layer], uniform) : chain.means[layer];
    }
    this.recognised = chain.states[net.base];
    if (uniform) net.sweep(chain, uniform);
    else this.meanSweep(chain);
    this.label = chain.label;
    const down = [...chain.states];
    for (let layer = net.base - 1; layer >= 2; layer--) {
      const mean = net.mean(layer, net.fromAbove(layer, down[layer + 1], net.down[layer]));
      down[layer] = uniform ? net.draw(layer, mean, uniform) : mean;
    }
    this.input = net.fromAbove(1, down[2], net.zeros[1]);
    this.chain = { ...chain, states: [null, first, ...chain.states.slice(2)] };
    this.wanted = net.fromAbove(0, first, net.down[0]);
    this.reconstruction = net.mean(0, this.wanted);
  }

  // A sweep of the top machine in which every unit takes its mean.
  meanSweep(chain) {
    const { net } = this;
    for (const layer of [net.base + 1, net.base]) {
      chain.states[layer] = chain.means[layer] = net.mean(layer, net.input(layer, chain.states, chain.label));
    }
    if (net.labels) chain.label = chain.labelMean = softmax(net.labelInput(chain.states[net.base + 1]));
  }
}

// The net: directed layers below layer `base`, and from there to the top an undirected chain, with the labels beside layer `base`.
//
//   E(x, y) = Σ_l energy(x_l) - b_y - Σ_l <s(x_l), W_l x_{l+1}> - U_y x_{base+1}        s(x) = x, or x/σ² of Gaussian pixels

const logistic = (z) => 1 / (1 + Math.exp(-z));
const softplus = (z) => (z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z)));

// start + x' W for W of rows x columns. Silent units cost nothing.
function upwards(weights, x, start) {
  const columns = start.length;
  const found = Float64Array.from(start);
  for (let row = 0, at = 0; row < x.length; row++, at += columns) {
    const state = x[row];
    if (state === 0) continue;
    for (let column = 0; column < columns; column++) found[column] += state * weights[at + column];
  }
  return found;
}

// start + W x, over the units of x that are on.
function downwards(weights, x, start) {
  const columns = x.length;
  const found = Float64Array.from(start);
  const on = [];
  for (let column = 0; column < columns; column++) if (x[column] !== 0) on.push(column);
  for (let row = 0, at = 0; row < found.length; row++, at += columns) {
    let total = 0;
    for (const column of on) total += x[column] * weights[at + column];
    found[row] += total;
  }
  return found;
}

// What an array's own `map` gives, which browsers make several times slower.
function each(values, change) {
  const found = new Float64Array(values.length);
  for (let place = 0; place < found.length; place++) found[place] = change(values[place], place);
  return found;
}

function softmax(logits) {
  const most = Math.max(...logits);
  const found = Array.from(logits, (each) => Math.exp(each - most));
  const all = found.reduce((total, each) => total + each, 0);
  return found.map((each) => each / all);
}

// Which of several, with these probabilities, a uniform number chooses.
function chosen(probabilities, uniform) {
  let below = uniform();
  for (let each = 0; each < probabilities.length - 1; each++) {
    below -= probabilities[each];
    if (below < 0) return each;
  }
  return probabilities.length - 1;
}

class Net {
  constructor(header, tensor) {
    this.base = header.directed;
    this.top = header.sizes.length - 1;
    this.sizes = header.sizes;
    this.links = header.links.map(({ up, down }) => ({ up: tensor(up), down: tensor(down) }));
    this.up = [null, ...header.up.map(tensor)];
    this.down = header.down.map(tensor);
    this.variance = header.variance && tensor(header.variance);
    this.labels = header.labels && { weight: tensor(header.labels.weight), bias: tensor(header.labels.bias) };
    this.zeros = header.sizes.map((size) => new Float64Array(size));
  }

  // The bias of a layer of the chain: the lowest is a visible layer, the others are hidden ones.
  bias(layer) {
    return layer === this.base ? this.down[layer] : this.up[layer];
  }

  statistic(layer, states) {
    return layer === 0 && this.variance ? states.map((state, unit) => state / this.variance[unit]) : states;
  }

  fromBelow(layer, below, start) {
    return upwards(this.links[layer - 1].up, this.statistic(layer - 1, below), start);
  }

  fromAbove(layer, above, start) {
    return downwards(this.links[layer].down, above, start);
  }

  // Means, and draws, of a layer whose total input is known; at a temperature other than 1, of the energy over it.
  mean(layer, input, temperature = 1) {
    if (layer === 0 && this.variance) return input;
    return each(input, (one) => logistic(one / temperature));
  }

  draw(layer, mean, uniform, temperature = 1) {
    if (layer === 0 && this.variance) {
      return each(mean, (one, unit) => one + Math.sqrt(this.variance[unit] * temperature) * normal(uniform));
    }
    return each(mean, (one) => (uniform() < one ? 1 : 0));
  }

  // Upwards through the directed layers: means, or draws where there is something to draw with. Gives the layers up to `base`.
  recognise(pixels, uniform) {
    const means = [pixels];
    const states = [pixels];
    for (let layer = 1; layer <= this.base; layer++) {
      means.push(this.mean(layer, this.fromBelow(layer, states[layer - 1], this.up[layer])));
      states.push(uniform ? this.draw(layer, means[layer], uniform) : means[layer]);
    }
    return { means, states };
  }

  // Downwards from layer `base`: the pixels hold means, the layers between draws if there is something to draw with. Where the pixels are
  // a layer of the chain, their states stay and their means are E[v | the layer above].
  generate(states, means, uniform) {
    if (this.base === 0) means[0] = this.mean(0, this.fromAbove(0, states[1], this.down[0]));
    for (let layer = this.base - 1; layer >= 0; layer--) {
      means[layer] = this.mean(layer, this.fromAbove(layer, states[layer + 1], this.down[layer]));
      states[layer] = uniform && layer > 0 ? this.draw(layer, means[layer], uniform) : means[layer];
    }
  }

  // The total input of a layer of the chain from its neighbours. `label`: probabilities or a one-hot state of the label units.
  input(layer, states, label) {
    const own = this.bias(layer);
    let found = layer > this.base ? this.fromBelow(layer, states[layer - 1], own) : own;
    if (layer < this.top) found = this.fromAbove(layer, states[layer + 1], found);
    if (this.labels && layer === this.base + 1) found = upwards(this.labels.weight, label, found);
    return found;
  }

  labelInput(above) {
    return downwards(this.labels.weight, above, this.labels.bias);
  }

  oneLabel(which) {
    return this.labels && Array.from(this.labels.bias, (_, label) => (label === which ? 1 : 0));
  }

  // One sweep of Gibbs sampling in the chain: layers base + 1, base + 3, ..., then base, base + 2, ..., then the label unless it is held.
  // `chain`: { states, means, label, labelMean }, changed in place.
  sweep(chain, uniform, { held = null, temperature = 1 } = {}) {
    for (const first of [this.base + 1, this.base]) {
      for (let layer = first; layer <= this.top; layer += 2) {
        chain.means[layer] = this.mean(layer, this.input(layer, chain.states, chain.label), temperature);
        chain.states[layer] = this.draw(layer, chain.means[layer], uniform, temperature);
      }
    }
    if (!this.labels) return;
    chain.labelMean = softmax(this.labelInput(chain.states[this.base + 1]).map((each) => each / temperature));
    chain.label = this.oneLabel(held ?? chosen(chain.labelMean, uniform));
  }

  // The chain's hidden layers given layer `base`: exact where there is one, else mean field, which begins with doubled input
  // (Salakhutdinov & Hinton 2009). Gives the means of all layers of the chain.
  infer(base, label, sweeps = 10) {
    const means = [];
    means[this.base] = base;
    for (let layer = this.base + 1; layer <= this.top; layer++) {
      const alone = this.fromBelow(layer, means[layer - 1], this.zeros[layer]);
      let input = alone.map((each, unit) => (layer < this.top ? 2 : 1) * each + this.up[layer][unit]);
      if (this.labels && layer === this.base + 1) input = upwards(this.labels.weight, label, input);
      means[layer] = this.mean(layer, input);
    }
    for (let sweep = 0; sweep < sweeps && this.top > this.base + 1; sweep++) {
      for (const first of [this.base + 2, this.base + 1]) {
        for (let layer = first; layer <= this.top; layer += 2) means[layer] = this.mean(layer, this.input(layer, means, label));
      }
    }
    return means;
  }

  layerEnergy(layer, states) {
    const bias = this.bias(layer);
    let total = 0;
    for (let unit = 0; unit < states.length; unit++) {
      if (layer === 0 && this.variance) total += (states[unit] - bias[unit]) ** 2 / (2 * this.variance[unit]);
      else total -= bias[unit] * states[unit];
    }
    return total;
  }

  // E of all layers of the chain, and F of the layers base, base + 2, ... with those between summed out, in nats. Both are sums over the
  // units between, of their input times their state or of softplus of their input. `label`: a number, or null.
  energies(states, label) {
    const known = this.labels && this.oneLabel(label);
    let alone = this.labels ? -this.labels.bias[label] : 0;
    let [joined, summed] = [0, 0];
    for (let layer = this.base; layer <= this.top; layer += 2) alone += this.layerEnergy(layer, states[layer]);
    for (let layer = this.base + 1; layer <= this.top; layer += 2) {
      const input = this.input(layer, states, known);
      for (let unit = 0; unit < input.length; unit++) {
        joined += input[unit] * states[layer][unit];
        summed += softplus(input[unit]);
      }
    }
    return { energy: alone - joined, freeEnergy: alone - summed };
  }

  // F of layer `base` with each label (Hinton, Osindero & Teh 2006). p(label) is the softmax of -F.
  labelFreeEnergies(base) {
    const above = this.base + 1;
    const input = this.fromBelow(above, base, this.up[above]);
    const alone = this.layerEnergy(this.base, base);
    const columns = input.length;
    return Array.from(this.labels.bias, (bias, label) => {
      let total = alone - bias;
      for (let unit = 0; unit < columns; unit++) total -= softplus(input[unit] + this.labels.weight[label * columns + unit]);
      return total;
    });
  }
}

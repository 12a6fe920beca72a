// What is shown of a net that is being learnt. It computes beside the mode that plays: with chains and draws of its own.
let dreamer = null;
const chains = [];

// A newer net of the same sizes takes the place of the present one. Chains go on where they are.
answers.renew = async ({ header, block }) => {
  net = new Net(header, await unpacked(block));
  for (const each of [mind, dreamer]) {
    if (each) Object.assign(each, { net, known: null });
  }
};

// The weights from the pixels of the first units of layer 1. The same units each time, so that one sees them change.
answers.fields = ({ count }) => {
  const columns = net.sizes[1];
  const weights = net.links[0].up;
  return Array.from({ length: Math.min(count, columns) }, (_, unit) => Float32Array.from(net.down[0], (_, row) => weights[row * columns + unit]));
};

// The picture that a chain has reached after some more sweeps. Where there are labels, each chain holds one.
answers.fantasy = ({ chain, sweeps }) => {
  if (!dreamer) {
    dreamer = new Mind(net, mind.images);
    dreamer.uniform = generator(1);
  }
  chains[chain] ??= dreamer.anywhere();
  const held = net.labels ? chain % net.labels.bias.length : null;
  for (let sweep = 0; sweep < sweeps; sweep++) net.sweep(chains[chain], dreamer.uniform, { held, temperature: 1 });
  const { means, states } = dreamer.fantasy(chains[chain]);
  return { picture: means[0], states };
};

// How often each hidden unit is on over the page's images: a mean of probabilities, layer by layer. Null where there are no images.
answers.activity = () => {
  if (!mind.images.length) return null;
  const each = mind.responses();
  return net.sizes.map((size, layer) => Float32Array.from({ length: size }, (_, unit) => each.reduce((all, layers) => all + layers[layer][unit], 0) / each.length));
};

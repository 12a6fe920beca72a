// The thread that computes. It answers one question at a time: { id, ask, given } with { id, found }.
let mind = null;
let net = null;

const answers = {
  async load({ header, block }) {
    const tensor = await unpacked(block);
    net = new Net(header, tensor);
    const pixels = header.sizes[0];
    const all = header.images ? tensor(header.images) : new Float32Array(0);
    const images = Array.from({ length: all.length / pixels }, (_, image) => all.subarray(image * pixels, (image + 1) * pixels));
    mind = new Mind(net, images);
    return { images };
  },
  begin: (given) => mind.begin(given),
  step: (given) => mind.step(given),
  inspect: (given) => mind.inspect(given),

  // The arithmetic by itself, for tests and for the curious: harmonium.ask("recognise", { pixels }) in the browser's console.
  recognise: ({ pixels, sweeps }) => {
    const { states } = net.recognise(pixels);
    const base = states[net.base];
    const frees = net.labels && net.labelFreeEnergies(base);
    return { states, frees, chain: net.infer(base, frees && softmax(frees.map((each) => -each)), sweeps) };
  },
  classify: ({ images }) =>
    images.map((pixels) => {
      const frees = net.labelFreeEnergies(net.recognise(pixels).states[net.base]);
      return frees.indexOf(Math.min(...frees));
    }),
  energies: ({ states, label }) => net.energies(states, label),
  sweep: ({ states, label, uniforms, ...given }) => {
    let next = 0;
    const chain = { states, means: [], label: net.oneLabel(label) };
    net.sweep(chain, () => uniforms[next++], given);
    return chain;
  },
  topDown: ({ pixels, path, doubt }) => {
    const found = new TopDown(net, pixels, null);
    return path.map(([bottomUp, topDown]) => {
      found.step(bottomUp, topDown, doubt);
      return found.reconstruction;
    });
  },
  uniforms: ({ seed, count }) => Array.from({ length: count }, generator(seed)),
};

addEventListener("message", async ({ data: { id, ask, given } }) => {
  try {
    postMessage({ id, found: await answers[ask](given) });
  } catch (error) {
    postMessage({ id, failed: String(error) });
  }
});

// Uniform numbers in [0, 1) from a seed: xoshiro128++ (Blackman & Vigna 2021), whose state begins as four draws of splitmix32.
function generator(seed) {
  let state = seed >>> 0;
  const mixed = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const turn = (x, k) => ((x << k) | (x >>> (32 - k))) >>> 0;
  let [a, b, c, d] = [mixed(), mixed(), mixed(), mixed()];
  return () => {
    const found = (turn((a + d) >>> 0, 7) + a) >>> 0;
    const t = (b << 9) >>> 0;
    c = (c ^ a) >>> 0;
    d = (d ^ b) >>> 0;
    b = (b ^ c) >>> 0;
    a = (a ^ d) >>> 0;
    c = (c ^ t) >>> 0;
    d = turn(d, 11);
    return found / 4294967296;
  };
}

// A draw from N(0, 1), by Box and Muller's transform of two uniform numbers.
function normal(uniform) {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
  return radius * Math.cos(2 * Math.PI * uniform());
}

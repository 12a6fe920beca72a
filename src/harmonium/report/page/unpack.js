// The block of tensors: base64, gzip, then each tensor as the header says. All become float32, which the arithmetic reads.
async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = await new Response(stream).arrayBuffer();
  const known = new Map(); // a tied matrix is unpacked once
  return (where) => {
    if (!known.has(where.at)) known.set(where.at, read(bytes, where));
    return known.get(where.at);
  };
}

function read(bytes, { kind, shape, at, scales }) {
  const count = shape.reduce((all, one) => all * one, 1);
  if (kind === "float32") return new Float32Array(bytes.slice(at, at + 4 * count));
  if (kind === "uint8") return Float32Array.from(new Uint8Array(bytes, at, count), (level) => level / 255);
  if (kind === "float16") return Float32Array.from(new Uint16Array(bytes.slice(at, at + 2 * count)), half);
  const step = read(bytes, scales);
  const columns = shape[1];
  const found = Float32Array.from(new Int8Array(bytes, at, count));
  for (let row = 0; row < shape[0]; row++) {
    for (let place = row * columns; place < (row + 1) * columns; place++) found[place] *= step[row];
  }
  return found;
}

// A number of 16 bits: a sign, five bits of exponent, ten of fraction.
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 1024;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
}

// The page's colours, read from the style sheet, so that canvases follow light and dark.
const colours = { paper: null, off: null, on: null, ink: null, plus: null, minus: null };

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of Object.keys(colours)) colours[name] = channels(style.getPropertyValue(`--${name}`).trim());
  colours.units = ramp(colours.off, colours.on);
  colours.pixels = ramp(colours.paper, colours.ink);
}

// "#1f2933" as [31, 41, 51].
const channels = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));

const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

const packed = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0; // as canvases store it, little-endian

const between = (from, to, share) => from.map((each, channel) => Math.round(each + share * (to[channel] - each)));

// 256 colours from one to another, packed.
const ramp = (from, to) => Uint32Array.from({ length: 256 }, (_, level) => packed(between(from, to, level / 255)));

const level = (value) => Math.max(0, Math.min(255, Math.round(255 * value)));

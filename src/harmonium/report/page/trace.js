// Energy and free energy of the top machine over the last steps.
const KEPT = 200; // steps
const curves = { energy: [], freeEnergy: [] };

function forgetTrace() {
  curves.energy.length = curves.freeEnergy.length = 0;
}

function addToTrace({ energy, freeEnergy }) {
  for (const [name, value] of [["energy", energy], ["freeEnergy", freeEnergy]]) {
    curves[name].push(value);
    if (curves[name].length > KEPT) curves[name].shift();
  }
  byId("energy").textContent = energy.toFixed(1).replace("-", "−");
  byId("free").textContent = freeEnergy.toFixed(1).replace("-", "−");
  paintTrace();
}

function paintTrace() {
  const canvas = byId("curve");
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const all = [...curves.energy, ...curves.freeEnergy];
  if (!all.length) return;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const [room, most] = [8, Math.max(high - low, 1)];
  const drawn = { energy: colours.minus, freeEnergy: colours.plus };
  for (const [name, values] of Object.entries(curves)) {
    context.strokeStyle = css(drawn[name]);
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.beginPath();
    values.forEach((value, step) => {
      context.lineTo((step / (KEPT - 1)) * width, height - room - ((value - low) / most) * (height - 2 * room));
    });
    context.stroke();
  }
}

// A unit: what it sees, what it draws, and the images that turn it on.
async function inspect() {
  grids.forEach((grid, layer) => grid?.select(view.unit && view.unit[0] === layer ? view.unit[1] : null));
  if (!view.unit) return;
  const [layer, unit] = view.unit;
  const { sees: field, draws, best, strengths } = await ask("inspect", { layer, unit });
  if (view.unit?.[0] !== layer || view.unit[1] !== unit) return; // another was chosen meanwhile
  const several = layer > 1 ? " (through the weights of the layers between)" : "";
  byId("unit-words").textContent = `Unit ${unit + 1} of ${header.sizes[layer]} in layer ${layer}.`;
  const shown = [
    fieldFigure(field, `its weights from the pixels${several}: orange turns it on, blue off`),
    fieldFigure(draws, "what it adds to the picture when it alone is on"),
  ];
  if (best.length) shown.push(bestFigure(best, strengths));
  byId("unit-pictures").replaceChildren(...shown);
}

function fieldFigure(values, words) {
  const canvas = sized(element("canvas"));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words);
  paintField(canvas, values);
  return element("figure", {}, canvas, element("figcaption", { textContent: words }));
}

function bestFigure(best, strengths) {
  const canvases = best.map((image) => {
    const canvas = sized(element("canvas", { title: strengths[image].toFixed(2) }));
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Image ${image + 1}, the unit is on with probability ${strengths[image].toFixed(2)}`);
    paintPicture(canvas, images[image]);
    return canvas;
  });
  const [most, least] = [strengths[best[0]], strengths[best.at(-1)]];
  const words = `the images that turn it on most: with probability ${most.toFixed(2)} to ${least.toFixed(2)}`;
  return element("figure", { className: "best" }, element("div", {}, ...canvases), element("figcaption", { textContent: words }));
}

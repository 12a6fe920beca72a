// The guided tour: the story of Hinton's tutorial in up to eight steps, each with the view that it speaks of.
const firstLabel = () => Math.min(3, labelCount - 1);
const TOUR = [
  {
    heading: "A net of layers",
    words: () =>
      "At the bottom are the pixels of a picture. Above them are layers of hidden units. Each square is one unit. The stronger its colour, the more probable it is that the unit is on. " +
      "Units are connected to the layers next to theirs, and not to each other within a layer.",
    view: { mode: "perceive", shown: "means", picture: 0 },
  },
  {
    heading: "Looking",
    words: () =>
      `A unit adds up what its weights bring it from the ${header.kind === "DBM" ? "layers next to it" : "layer below"}. ` +
      "The larger the sum, the more probable it is that the unit turns on. Whether it does is left to chance, so two looks at one picture differ. You now see these draws.",
    view: { mode: "perceive", shown: "states", speed: 1 },
  },
  {
    heading: "A feature",
    words: () =>
      "Here is one unit of the first layer. Ink on the orange pixels helps to turn it on, ink on the blue ones to turn it off. Nobody said what it should look for. " +
      "A net like this can be learnt one layer at a time: each layer learns to account for what the layer below it does when images are shown.",
    view: { mode: "perceive", shown: "means", unit: [1, 0] },
    strongest: true,
    at: "inspector",
  },
  {
    heading: "Naming",
    needs: () => labelCount > 0,
    words: () =>
      `The label units stand beside ${header.directed ? `layer ${header.directed}` : "the pixels"}, and the top machine has learnt both together. It gives every label a free energy. ` +
      "The lower that is, the more probable is the label. The bars show the probabilities, which waver from look to look.",
    view: { mode: "perceive", shown: "means", picture: 1 },
  },
  {
    heading: "Dreaming",
    words: () =>
      "Now nothing is shown to the net. " +
      (labelCount ? "One label is held. " : "") +
      (header.directed
        ? "The top two layers take turns: each is drawn given the other, over and over. At each step what they hold is sent down to the pixels. "
        : "Its layers take turns: each is drawn given its neighbours, over and over. ") +
      "It begins at random, so the first pictures may be of nothing. The net has stored no pictures: it makes these up, from what it believes that its data look like.",
    view: { mode: "dream", shown: "means", temperature: 1, speed: still.matches ? 4 : 7 },
    holds: true,
    at: "pixels",
  },
  {
    heading: "What is on its mind",
    words: () =>
      "The net looked at a picture once and then went on by itself. What would the world have to look like for these layers to be a true perception? " +
      "That is what we see here: the picture that its layers would draw.",
    view: { mode: "mind", shown: "means", picture: 1, speed: 4 },
    at: "pixels",
  },
  {
    heading: "Filling in",
    words: () =>
      "Half of the picture is erased. The pixels that are left stay fixed, and the net draws the others from what it believes. " +
      (header.directed ? "With layers below the top machine this is an approximation, as the way up is only an approximate inference." : "As the sweeps go on, these become draws given the pixels that are left."),
    view: { mode: "complete", shown: "means", erased: "lower half", held: null },
    at: "pixels",
  },
  {
    heading: "Doubting its eyes",
    needs: () => modesOf().includes("denoise"),
    words: () =>
      "A border of ink has been put on the picture. The slider turns the pixels’ influence down and that of the layers above up. " +
      "Move it slowly to the right. The layers above expect what they have learnt, and pull the first hidden layer away from the ink: the border fades. " +
      "They do not always keep the digit, and may come to see another one. Then let the net doubt pixels.",
    view: { mode: "denoise", shown: "means", noise: "border", topDown: 0, doubt: 0 },
    at: "pixels",
  },
];
const small = matchMedia("(max-width: 56rem)"); // as the style sheet has it: one column, the tour's words below
let stop = null; // the step of the tour

const stops = () => TOUR.filter((each) => !each.needs || each.needs());

function goTo(step) {
  stop = step;
  const { heading, words, view: patch, strongest, holds, at = "net" } = stops()[step];
  byId("guide").hidden = false;
  byId("guide-place").textContent = `Step ${step + 1} of ${stops().length}`;
  byId("guide-heading").textContent = heading;
  byId("guide-words").textContent = words();
  byId("guide-back").disabled = step === 0;
  byId("guide-next").textContent = step === stops().length - 1 ? "Finish" : "Next";
  const now = { ...patch };
  if (!images.length) delete now.picture;
  if (strongest) now.unit = [1, busiest()];
  if (holds && labelCount) now.held = firstLabel();
  change(now, true);
  play(true);
  document.body.dataset.tour = at; // the style sheet makes room for what the step speaks of
  if (small.matches) byId(at).scrollIntoView();
  byId("guide-heading").focus({ preventScroll: true });
}

// The unit of the first layer that is most surely on: one whose feature is in the picture.
function busiest() {
  const { shown } = grids[1];
  return shown.indexOf(Math.max(...shown));
}

const nextStop = () => (stop + 1 < stops().length ? goTo(stop + 1) : endTour());

const previousStop = () => goTo(Math.max(0, stop - 1));

function endTour() {
  stop = null;
  byId("guide").hidden = true;
  delete document.body.dataset.tour;
  byId("tour").focus();
}

function listenToTour() {
  byId("tour").addEventListener("click", () => goTo(0));
  byId("guide-back").addEventListener("click", previousStop);
  byId("guide-next").addEventListener("click", nextStop);
  byId("guide-close").addEventListener("click", endTour);
}

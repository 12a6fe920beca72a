// The data's images, as buttons: one stop of the Tab key, in which the arrow keys move.
function buildGallery(onPicture) {
  const gallery = byId("gallery");
  if (!images.length) return gallery.remove();
  const strip = element("div", { className: "strip" });
  strip.setAttribute("role", "toolbar");
  strip.setAttribute("aria-label", "Images: the arrow keys move among them");
  strip.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...strip.children];
    stopAt(all[(all.indexOf(document.activeElement) + step + all.length) % all.length]).focus();
  });
  images.forEach((pixels, image) => {
    const canvas = sized(element("canvas"));
    canvas.setAttribute("aria-hidden", "true");
    const button = element("button", { type: "button" }, canvas);
    const truth = header.truth === null ? "" : `, ${header.classes[header.truth[image]] ?? header.truth[image]}`;
    button.setAttribute("aria-label", `Image ${image + 1}${truth}`);
    button.addEventListener("click", () => onPicture(image));
    strip.append(button);
  });
  stopAt(strip.firstChild);
  gallery.append(element("h2", { textContent: "Images" }), strip);
  return gallery;
}

// The one that the Tab key comes to.
function stopAt(button) {
  for (const each of button.parentNode.children) each.tabIndex = each === button ? 0 : -1;
  return button;
}

function paintGallery() {
  document.querySelectorAll("#gallery button").forEach((button, image) => paintPicture(button.firstChild, images[image]));
}

// The one that the net is shown: in a dream none is.
function markPicture() {
  const shown = view.mode === "dream" ? null : view.picture;
  document.querySelectorAll("#gallery button").forEach((button, image) => button.setAttribute("aria-pressed", String(shown === image)));
}

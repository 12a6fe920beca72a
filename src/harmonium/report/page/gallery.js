// The data's images, as buttons.
function buildGallery(onPicture) {
  const gallery = byId("gallery");
  if (!images.length) return gallery.remove();
  const strip = element("div", { className: "strip" });
  images.forEach((pixels, image) => {
    const canvas = sized(element("canvas"));
    canvas.setAttribute("aria-hidden", "true");
    const button = element("button", { type: "button" }, canvas);
    const truth = header.truth === null ? "" : `, ${header.classes[header.truth[image]] ?? header.truth[image]}`;
    button.setAttribute("aria-label", `Image ${image + 1}${truth}`);
    button.addEventListener("click", () => onPicture(image));
    strip.append(button);
  });
  gallery.append(element("h2", { textContent: "Images" }), strip);
  return gallery;
}

function paintGallery() {
  document.querySelectorAll("#gallery button").forEach((button, image) => {
    paintPicture(button.firstChild, images[image]);
    button.setAttribute("aria-pressed", String(view.picture === image));
  });
}

function markPicture() {
  document.querySelectorAll("#gallery button").forEach((button, image) => button.setAttribute("aria-pressed", String(view.picture === image)));
}

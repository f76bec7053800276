"use strict";
// Pictures open large: what has the class "large" takes the place between the button and the words of a dialog.
const large = document.createElement("dialog");
large.id = "large";
large.setAttribute("aria-label", "Enlarged picture");
large.innerHTML = '<button type="button">Close</button><div></div><p></p>';
document.body.append(large);
for (const picture of document.querySelectorAll(".large")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "zoom";
  picture.replaceWith(button);
  button.append(picture);
  button.addEventListener("click", () => {
    large.children[1].replaceWith(picture.cloneNode(true));
    large.querySelector("p").textContent = (picture.querySelector("img") ?? picture).alt;
    large.showModal();
  });
}
large.querySelector("button").addEventListener("click", () => large.close());


// Buttons marked data-print; they are hidden until this script runs, so that none does nothing.
"use strict";
for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

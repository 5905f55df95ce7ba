// Before anything is drawn: the theme that was chosen here, if one was. Not a module, so that the
// page waits for it and never flashes.
"use strict";

try {
  const chosen = localStorage.getItem("crdtstore-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage may be refused: the theme of the system it is.
}

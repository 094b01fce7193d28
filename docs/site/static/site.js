// What can be scrolled can be reached from the keyboard.
addEventListener("DOMContentLoaded", () => {
  for (const region of document.querySelectorAll(".table-wrapper, .highlight pre, article .sig")) {
    region.tabIndex = 0;
  }
  // The theme calls the captions of its navigation headings, and leaves out their level.
  for (const caption of document.querySelectorAll('[role="heading"]:not([aria-level])')) {
    caption.ariaLevel = "2";
  }
});

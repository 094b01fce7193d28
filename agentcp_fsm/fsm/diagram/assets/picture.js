"use strict";
// The picture: what is marked on it, zooming, moving.

/** The least pixels for each of the picture's points. */
const LEGIBLE = 0.6;
/** The most, while the whole is shown. */
const LARGEST = 1.6;
/** @type {Map<string, SVGSVGElement>} */
const pictures = new Map();
/** @type {{x: number, y: number, width: number, height: number}} What of the picture is in sight */
let sight = { x: 0, y: 0, width: 1, height: 1 };
/** Whether the picture, where it is too small to be read as a whole, shows what the panel is about. */
let following = true;

const picture = () => /** @type {SVGSVGElement} */ (pictures.get(shown.view));
/** @returns {SVGGElement | null} */
const nodeOf = (/** @type {string} */ name) => picture().querySelector(`[data-state="${CSS.escape(name)}"]`);
const arrowIds = new Map(Object.entries(chart.arrows).map(([id, ends]) => [JSON.stringify(ends), id]));
/** What is drawn for a step: a line may belong to several. */
const edgesOf = (/** @type {string} */ source, /** @type {string} */ dest) => {
  const id = arrowIds.get(JSON.stringify([source, dest]));
  return id === undefined ? [] : [...picture().querySelectorAll(`[data-edges~="${id}"]`)];
};

/** Makes the states and arrows of the pictures answer to pointer and keyboard. */
function preparePictures() {
  const drawn = [
    element("picture").querySelector("svg"),
    .../** @type {HTMLTemplateElement} */ (element("pictures")).content.children,
  ];
  drawn.forEach((svg, index) => pictures.set(chart.views[index], /** @type {SVGSVGElement} */ (svg)));
  for (const [view, svg] of pictures) {
    shown.view = view;
    element("picture").replaceChildren(svg);
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", `${chart.name}, ${view}; arrow keys go from state to state`);
    const { x, y, width, height } = svg.getBBox();
    svg.setAttribute("viewBox", [x - 8, y - 8, width + 16, height + 16].join(" "));
    svg.style.maxWidth = `${LARGEST * (width + 16)}px`;
    svg.style.maxHeight = `${LARGEST * (height + 16)}px`;
    chart.states.forEach(({ name, meaning }) => {
      const node = nodeOf(name);
      if (node === null) return;
      const box = node.getBBox();
      const ring = document.createElementNS(svg.namespaceURI, "rect");
      for (const [key, value] of Object.entries({
        class: "ring",
        x: box.x - 5,
        y: box.y - 5,
        width: box.width + 10,
        height: box.height + 10,
        rx: 10,
      }))
        ring.setAttribute(key, String(value));
      node.append(ring);
      node.setAttribute("role", "button");
      const text = [...node.querySelectorAll("text")].map((line) => line.textContent).join(" ");
      node.setAttribute("aria-label", meaning ? `${text}: ${meaning}` : text);
      node.setAttribute("tabindex", name === chart.initial ? "0" : "-1");
      node.addEventListener("click", () => explain({ kind: "state", names: [name] }));
      node.addEventListener("keydown", (event) => moveAmongStates(event, name));
    });
    for (const edge of svg.querySelectorAll("[data-edges]")) {
      const names = (edge.getAttribute("data-edges") ?? "").split(" ").flatMap((id) => chart.arrows[id] ?? []);
      edge.addEventListener("click", () => explain({ kind: "arrow", names }));
      for (const line of edge.querySelectorAll("path.shape")) {
        const reach = /** @type {SVGElement} */ (line.cloneNode());
        reach.setAttribute("class", "reach");
        edge.prepend(reach);
      }
    }
  }
  element("picture").replaceChildren();
  shown.view = chart.views[0];
}

/**
 * Explains a state, or goes to the nearest one in the direction of an arrow key.
 * @param {KeyboardEvent} event
 * @param {string} name
 */
function moveAmongStates(event, name) {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    explain({ kind: "state", names: [name] });
  }
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (way === undefined) return;
  event.preventDefault();
  const [right, down] = way;
  const middle = (/** @type {string} */ state) => {
    const box = nodeOf(state)?.getBoundingClientRect();
    return box === undefined ? null : { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  };
  const from = middle(name);
  /** @type {[number, string | null]} */
  let best = [Infinity, null];
  for (const other of states.keys()) {
    const to = middle(other);
    if (other === name || from === null || to === null) continue;
    const along = (to.x - from.x) * right + (to.y - from.y) * down;
    const aside = Math.abs((to.x - from.x) * down) + Math.abs((to.y - from.y) * right);
    if (along > 1 && along + 2 * aside < best[0]) best = [along + 2 * aside, other];
  }
  if (best[1] === null) return;
  for (const state of states.keys()) nodeOf(state)?.setAttribute("tabindex", state === best[1] ? "0" : "-1");
  nodeOf(best[1])?.focus();
}

/**
 * Gives a class to the states and arrows on some ways, and to no others.
 * @param {string} name
 * @param {Way[]} ways
 */
function mark(name, ways) {
  for (const marked of picture().querySelectorAll(`.${name}`)) marked.classList.remove(name);
  for (const { source, dest, row } of ways) {
    if (row?.dest !== null) for (const edge of edgesOf(source, dest)) edge.classList.add(name);
    nodeOf(dest)?.classList.add(name);
  }
}

/** Shows on the picture what the panel is about. @param {Row[] | null} found Rows that are searched for */
function renderPicture(found = null) {
  const reading = shown.tab === "read";
  const { subject } = shown;
  const taken = reading ? [] : shown.tab === "play" ? playedWays() : steps();
  const [from, at] = shown.tab === "play" ? playedStates() : [chart.initial, present()];
  if (!element("picture").contains(picture())) {
    element("picture").replaceChildren(picture());
    fit();
  }
  mark("possible", []);
  mark("walked", taken);
  mark("visited", reading ? [] : [{ source: "", dest: from }, ...taken]);
  mark("latest", taken.slice(-1));
  mark("current", reading ? [] : [{ source: "", dest: at }]);
  const named = reading && (subject?.kind === "state" || subject?.kind === "arrow") ? subject.names : [];
  mark(
    "selected",
    named.map((dest) => ({ source: "", dest })),
  );
  const about = subject?.row ? [subject.row] : subject && subjectRows(subject);
  const rows = found ?? (reading ? about : null);
  picture().classList.toggle("dimmed", rows !== null);
  const all = (rows ?? []).flatMap((row) =>
    row.source.map((source) => ({ source, dest: destination(row, source), row })),
  );
  /** @type {Way[]} */
  let ways = all;
  if (found === null && subject?.kind === "state") ways = all.filter(({ source }) => source === subject.names[0]);
  if (found === null && subject?.kind === "arrow") ways = waysOf(subject.names);
  mark("hit", [
    ...ways,
    ...ways.map(({ source }) => ({ source: "", dest: source })),
    ...named.map((dest) => ({ source: "", dest })),
  ]);
  reveal(reading ? named.at(-1) : at);
}

/** The whole of the picture. */
function whole() {
  const [x, y, width, height] = (picture().dataset.whole ?? picture().getAttribute("viewBox") ?? "0 0 1 1")
    .split(/[\s,]+/)
    .map(Number);
  picture().dataset.whole = [x, y, width, height].join(" ");
  return { x, y, width, height };
}

/** @param {typeof sight} box */
function look(box) {
  const { width } = whole();
  sight = box;
  picture().setAttribute("viewBox", `${box.x} ${box.y} ${box.width} ${box.height}`);
  picture().classList.toggle("zoomed", box.width < width * 0.999);
}

function fit() {
  look(whole());
}

/**
 * @param {number} factor More than 1 to come closer
 * @param {{x: number, y: number}} [at] What stays where it is, in the picture's own units
 */
function zoom(factor, at = { x: sight.x + sight.width / 2, y: sight.y + sight.height / 2 }) {
  const { width, height } = whole();
  const scale = Math.min(Math.max(sight.width / factor, width / 8), width) / sight.width;
  if (sight.width * scale >= width) return fit();
  look({
    x: at.x - (at.x - sight.x) * scale,
    y: at.y - (at.y - sight.y) * scale,
    width: sight.width * scale,
    height: (height * (sight.width * scale)) / width,
  });
}

const nearer = () => zoom(1.5);
const farther = () => zoom(1 / 1.5);

/** Shows the whole of the picture, and does not come nearer again by itself. */
function showAll() {
  following = false;
  fit();
}

/** Brings a state into sight, and nearer if the whole is too small to be read. @param {string | undefined} name */
function reveal(name) {
  const node = name === undefined ? null : nodeOf(name);
  if (node === null || !following) return;
  const scale = picture().getScreenCTM()?.a ?? 1;
  if (scale < LEGIBLE) zoom(LEGIBLE / scale);
  if (!picture().classList.contains("zoomed")) return;
  const frame = picture().getBoundingClientRect();
  const box = node.getBoundingClientRect();
  if (box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom) return;
  const middle = inPicture(box.x + box.width / 2, box.y + box.height / 2);
  look({ ...sight, x: middle.x - sight.width / 2, y: middle.y - sight.height / 2 });
}

/**
 * A point of the window in the picture's own units.
 * @param {number} x
 * @param {number} y
 */
function inPicture(x, y) {
  return new DOMPoint(x, y).matrixTransform(picture().getScreenCTM()?.inverse());
}

/** Zooming by wheel and moving by dragging. */
function listenToPicture() {
  const frame = element("picture");
  frame.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 200), inPicture(event.clientX, event.clientY));
    },
    { passive: false },
  );
  frame.addEventListener("pointerdown", (down) => {
    if (!picture().classList.contains("zoomed") || down.button !== 0) return;
    const start = inPicture(down.clientX, down.clientY);
    let moved = false;
    const move = (/** @type {PointerEvent} */ event) => {
      const now = inPicture(event.clientX, event.clientY);
      moved ||= Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 4;
      picture().classList.toggle("grabbed", moved);
      if (moved) look({ ...sight, x: sight.x + start.x - now.x, y: sight.y + start.y - now.y });
    };
    const up = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", up);
      picture().classList.remove("grabbed");
      // The click that ends a drag is none.
      if (moved) window.addEventListener("click", (event) => event.stopPropagation(), { capture: true, once: true });
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
    window.addEventListener("pointercancel", up);
  });
}

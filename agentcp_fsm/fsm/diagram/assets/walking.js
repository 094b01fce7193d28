"use strict";
// A walk through the chart: events sent one after the other, guards answered by the reader.

/** @returns {Step[]} */
const steps = () => walk(chart, shown.walk);
const present = () => steps().at(-1)?.dest ?? chart.initial;

/**
 * Sends an event, or asks the next guard first.
 * @param {Sent} sent
 */
function send(sent) {
  const taken = step(chart, present(), sent);
  pending = taken.question === null ? null : sent;
  if (taken.row !== null) {
    shown.walk = [...shown.walk, { trigger: sent.trigger, answers: taken.answers }];
    announce(`${taken.dest}. ${taken.row.reason}`);
    remember();
  }
  render();
  if (taken.row === null && taken.question === null) {
    say(`${sent.trigger} is undecided in ${taken.source}: none of its rows is taken if its guards answer so. ${chart.otherwise}`);
  }
  focusIn("walk", taken.question === null ? `[data-trigger="${CSS.escape(sent.trigger)}"]` : ".answers button");
  element("walk").querySelector(".here")?.scrollIntoView({ block: "start" });
  element("walk").querySelector(".question")?.scrollIntoView({ block: "nearest" });
}

/** @param {boolean} answer */
function reply(answer) {
  if (pending !== null) send({ ...pending, answers: [...pending.answers, answer] });
}

/** Takes back the last answer, or the last event. @param {number} length How much of the walk to keep */
function undo(length = shown.walk.length - 1) {
  if (pending !== null) {
    pending = pending.answers.length > 0 ? { ...pending, answers: pending.answers.slice(0, -1) } : null;
  } else if (length >= 0) {
    shown.walk = shown.walk.slice(0, length);
    announce(`Back in ${present()}.`);
    remember();
  }
  render();
  focusIn("walk", pending === null ? ".events button" : ".answers button");
}

function restart() {
  pending = null;
  shown.walk = [];
  announce(`Back at the start, in ${chart.initial}.`);
  remember();
  render();
  focusIn("walk", ".events button");
}

function cancel() {
  const trigger = pending?.trigger;
  pending = null;
  render();
  focusIn("walk", trigger === undefined ? ".events button" : `[data-trigger="${CSS.escape(trigger)}"]`);
}

const handledRows = (/** @type {string} */ source, /** @type {string} */ trigger) =>
  cell(chart, source, trigger).filter((row) => !row.ignored);

/**
 * What an event can come to, in a few words.
 * @param {string} source
 * @param {string} trigger
 */
function prospects(source, trigger) {
  const taken = handledRows(source, trigger);
  const moves = [...new Set(taken.filter((row) => row.dest !== null).map((row) => destination(row, source)))];
  const words = moves.map((name) => (name === source ? "again" : name));
  if (taken.some((row) => row.dest === null)) words.push("stays");
  return `${moves.length > 0 ? "→ " : ""}${words.join(", ")}`;
}

/**
 * The buttons of some events, which show on the picture where they can lead.
 * @param {string} source
 * @param {string[]} some
 */
function eventButtons(source, some) {
  const show = (/** @type {string} */ trigger) => () =>
    mark(
      "possible",
      handledRows(source, trigger).map((row) => ({ source, dest: destination(row, source), row })),
    );
  const hide = () => mark("possible", []);
  return make(
    "div",
    { class: "events" },
    some.map((trigger) =>
      make(
        "button",
        {
          type: "button",
          "data-trigger": trigger,
          onclick: () => send({ trigger, answers: [] }),
          onpointerenter: show(trigger),
          onpointerleave: hide,
          onfocus: show(trigger),
          onblur: hide,
        },
        stateName(trigger),
        make("span", { class: "leads" }, prospects(source, trigger)),
      ),
    ),
  );
}

/** The question that decides the event under way. @param {Step} taken */
function question({ trigger, source, refused, question: guard }) {
  const meaning = meaningOf("guard", guard ?? "");
  const rows = cell(chart, source, trigger);
  const asked = rows[refused.length];
  return make(
    "section",
    { class: "question", "aria-labelledby": "asks" },
    make("p", { class: "muted" }, stateName(trigger), " in ", stateName(source), " asks:"),
    make("p", { class: "asks", id: "asks" }, term("guard", guard ?? ""), "?"),
    meaning ? make("p", { class: "meaning" }, `Is it so that ${meaning}?`) : null,
    make(
      "div",
      { class: "answers" },
      make(
        "button",
        { type: "button", "data-answer": "yes", onclick: () => reply(true) },
        "Yes",
        make("kbd", { "aria-hidden": "true" }, "y"),
      ),
      make(
        "button",
        { type: "button", "data-answer": "no", onclick: () => reply(false) },
        "No",
        make("kbd", { "aria-hidden": "true" }, "n"),
      ),
      make("button", { type: "button", class: "quiet", onclick: cancel }, "Cancel"),
    ),
    make(
      "ol",
      { class: "candidates", "aria-label": "Rows in the order in which they are tried" },
      rows.map((row, index) => {
        const is = index < refused.length ? "refused" : row === asked ? "asked" : "open";
        const written = guards(row).map(({ guard: name, answer }) => (answer ? name : `not ${name}`));
        const to = row.ignored ? "ignored" : row.dest === null ? "stays" : `→ ${destination(row, source)}`;
        return make(
          "li",
          { class: is, "aria-current": is === "asked" && "step" },
          make("span", { "aria-hidden": "true" }, { refused: "×", asked: "?", open: "·" }[is]),
          make(
            "span",
            {},
            written.length > 0 ? `${to} if ${written.join(" and ")}` : `${to} otherwise`,
            is === "refused" && make("span", { class: "unseen" }, " (refused)"),
          ),
        );
      }),
    ),
  );
}

/**
 * Why a step went where it did, and what was done on the way.
 * @param {Step} taken
 */
function because({ row, asked, actions: done }) {
  const answers = asked.map(({ guard, answer }) => make("span", {}, answer ? "" : "not ", term("guard", guard)));
  return [
    row?.reason ? make("p", { class: "reason" }, row.reason) : "",
    answers.length > 0 ? make("p", { class: "does" }, "as ", ...joined(answers)) : "",
    done.length > 0 ? make("p", { class: "does" }, "did ", ...joined(done.map((name) => term("action", name)))) : "",
  ];
}

/**
 * One step of the walk.
 * @param {Step} taken
 * @param {number} index
 */
function stepItem(taken, index) {
  const { trigger, dest, row } = taken;
  const last = index === shown.walk.length - 1;
  return make(
    "li",
    {},
    make("span", { class: "number" }, String(index + 1)),
    make(
      "div",
      {},
      make(
        "p",
        { class: "went" },
        stateName(trigger),
        row?.dest === null ? (row.ignored ? "ignored" : "stays") : make("span", {}, "→ ", term("state", dest)),
      ),
      ...because(taken),
      !last &&
        make(
          "button",
          {
            type: "button",
            class: "back quiet",
            "aria-label": `Go back to here, step ${index + 1}, ${dest}`,
            onclick: () => undo(index + 1),
          },
          "Go back to here",
        ),
    ),
  );
}

/** What the latest event did. @param {{row: Row | null}} taken */
function verb({ row }) {
  if (row?.ignored) return " is ignored in";
  return row?.dest === null ? " stays in" : row?.dest === "=" ? " leaves and enters again" : " leads to";
}

function renderWalk() {
  const taken = steps();
  const last = taken.at(-1);
  const source = present();
  const all = triggers(chart).map((trigger) => ({ trigger, rows: cell(chart, source, trigger) }));
  const handled = all.filter(({ rows }) => rows.some((row) => !row.ignored)).map(({ trigger }) => trigger);
  const ignored = all
    .filter(({ rows }) => rows.length > 0 && rows.every((row) => row.ignored))
    .map(({ trigger }) => trigger);
  const folded = element("walk").querySelector("details.ignored")?.hasAttribute("open") ?? false;
  const [module, name] = chart.imported_from.split(":");
  const code = snippet(module, name, chart, taken);
  element("walk").replaceChildren(
    make(
      "div",
      { class: "here" },
      make(
        "p",
        { class: "label" },
        ...(last === undefined ? ["The walk begins in"] : [stateName(last.trigger), verb(last)]),
      ),
      make("h2", { tabindex: "-1" }, swatch(source), stateName(source)),
      make("p", {}, states.get(source)?.meaning ?? ""),
      last !== undefined && make("div", { class: "row" }, ...because(last)),
    ),
    make(
      "div",
      { class: "controls" },
      make(
        "button",
        { type: "button", onclick: () => undo(), disabled: taken.length === 0 && pending === null },
        "Undo",
      ),
      make("button", { type: "button", onclick: restart, disabled: taken.length === 0 && pending === null }, "Restart"),
      make("button", { type: "button", onclick: () => copy(location.href, "The link") }, "Copy link"),
    ),
    ...(pending !== null
      ? [question(step(chart, source, pending))]
      : [
          make("h3", {}, "What happens next?"),
          handled.length > 0
            ? eventButtons(source, handled)
            : make("p", { class: "muted" }, "Nothing leads on from here."),
          ignored.length > 0 &&
            make(
              "details",
              { class: "ignored", open: folded },
              make("summary", {}, `Ignored here: ${counted(ignored.length, "event")}`),
              eventButtons(source, ignored),
            ),
        ].filter((part) => part !== false)),
    ...(taken.length === 0
      ? []
      : [
          make("h3", {}, "The walk, its latest event first"),
          make("ol", { class: "steps", reversed: true }, taken.map(stepItem).reverse()),
          make(
            "section",
            { class: "test" },
            make(
              "div",
              { class: "head" },
              make("h3", {}, "The walk as a test"),
              make("button", { type: "button", onclick: copyTest }, "Copy test"),
            ),
            make("pre", { tabindex: "0", "aria-label": "A test for pytest" }, make("code", { id: "test" }, code)),
          ),
        ]),
  );
}

function copyTest() {
  const code = document.getElementById("test")?.textContent;
  if (code) copy(code, "The test");
}

/**
 * @param {string} text
 * @param {string} what
 */
function copy(text, what) {
  navigator.clipboard.writeText(text).then(
    () => say(`${what} is in the clipboard.`),
    (error) => say(`${what} could not be copied (${error.message}): select it and copy it by hand.`),
  );
}

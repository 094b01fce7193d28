"use strict";
// A walk as a test of pytest, which runs it through the compiled chart.

/** The words of Python that cannot be the name of an argument. */
const PYTHON_KEYWORDS = new Set(
  (
    "False None True and as assert async await break class continue def del elif else except finally for from global " +
    "if import in is lambda nonlocal not or pass raise return try while with yield"
  ).split(" "),
);

/**
 * A text as a literal of Python; JSON's are, if `\/` is not written, which JSON.stringify does not.
 * @param {string} text
 */
function pythonText(text) {
  return JSON.stringify(text);
}

/**
 * What the guards answered, as arguments of Walk.send.
 * @param {Asked[]} asked
 * @returns {string[]}
 */
function pythonAnswers(asked) {
  /** @type {Map<string, boolean[]>} */
  const answers = new Map();
  for (const { guard, answer } of asked) answers.set(guard, [...(answers.get(guard) ?? []), answer]);
  const literal = (/** @type {boolean} */ answer) => (answer ? "True" : "False");
  const named = [];
  const others = [];
  for (const [guard, given] of answers) {
    const constant = given.every((answer) => answer === given[0]);
    const value = constant ? literal(given[0]) : `[${given.map(literal).join(", ")}]`;
    if (/^[A-Za-z_]\w*$/.test(guard) && !PYTHON_KEYWORDS.has(guard)) named.push(`${guard}=${value}`);
    else others.push(`${pythonText(guard)}: ${value}`);
  }
  return others.length > 0 ? [...named, `**{${others.join(", ")}}`] : named;
}

/**
 * A bracketed list, on one line if it fits, else on a line for each item.
 * @param {string} before What stands before the list on its line, the bracket included
 * @param {string[]} items
 * @param {string} after
 */
function pythonLines(before, items, after) {
  const line = `    ${before}${items.join(", ")}${after}\n`;
  if (line.length <= 100) return line;
  return `    ${before}\n${items.map((item) => `        ${item},\n`).join("")}    ${after}\n`;
}

/**
 * @param {string} module Where the chart is imported from
 * @param {string} name The chart's name in there
 * @param {Chart} chart
 * @param {Step[]} steps
 * @returns {string} A whole module of Python
 */
function snippet(module, name, chart, steps) {
  const end = steps.at(-1)?.dest ?? chart.initial;
  const word = (/** @type {string} */ state) =>
    state
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "_")
      .replace(/^_|_$/g, "");
  let text = `from ${module} import ${name}\nfrom agentcp_fsm.testing import Walk\n\n\n`;
  text += `def test_from_${word(chart.initial)}_to_${word(end)}() -> None:\n    walk = Walk(${name})\n`;
  for (const { trigger, dest, row, asked, actions } of steps) {
    const reason = row?.reason.replace(/[\s\p{Cc}\p{Cs}]+/gu, " ").trim();
    text += reason ? `\n    # ${reason}\n` : "\n";
    text += pythonLines("actions = walk.send(", [pythonText(trigger), ...pythonAnswers(asked)], ")");
    text += `    assert walk.state == ${pythonText(dest)}\n`;
    text += pythonLines("assert actions == [", actions.map(pythonText), "]");
  }
  if (steps.length === 0) text += `    assert walk.state == ${pythonText(chart.initial)}\n`;
  return text;
}

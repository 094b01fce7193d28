// Walks charts, exported for XState, in XState itself: walks as JSON on standard input, what came of them on output.
import { readFileSync } from "node:fs";
import { createActor, setup } from "xstate";

const walked = JSON.parse(readFileSync(0, "utf8")).map(({ config, names, events }) => {
  let said = {};
  let done = [];
  const all = ({ conditions, unless }) => conditions.every((name) => said[name]) && !unless.some((name) => said[name]);
  const own = (entries) => Object.assign(Object.create(null), Object.fromEntries(entries));
  const guards = own(Object.entries(config.meta?.guards ?? {}).map(([name, parts]) => [name, () => all(parts)]));
  const actions = own(names.map((name) => [name, () => done.push(name)]));
  const actor = createActor(setup({ guards, actions }).createMachine(config));
  actor.start();
  return events.map(({ type, guards }) => {
    said = guards;
    done = [];
    actor.send({ type });
    const { status, value, tags } = actor.getSnapshot();
    return { status, value, tags: [...tags], done };
  });
});
process.stdout.write(JSON.stringify(walked));

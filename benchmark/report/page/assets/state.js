// What is chosen, kept in the address's fragment so that a link shows the same.

const DEFAULTS = {
  metric: DATA.headline ?? DATA.metrics[0]?.name ?? "",
  x: X.name,
  scale: "auto",
  show: "seeds",
  cost: "train_seconds",
  costed: DATA.headline ?? "",
  a: "",
  b: "",
  judged: DATA.headline ?? "",
  at: "-1",
  run: "",
  theme: "",
};
const state = { ...DEFAULTS, hide: new Set(), sizes: new Set(), fixed: {} };
const listeners = [];

const known = {
  metric: (value) => METRICS.has(value),
  costed: (value) => METRICS.has(value),
  cost: (value) => METRICS.has(value),
  judged: (value) => METRICS.has(value),
  x: (value) => METRICS.has(value) || DATA.axes.some((axis) => axis.name === value),
  scale: (value) => ["auto", "linear", "log"].includes(value),
  show: (value) => ["seeds", "intervals"].includes(value),
  a: isArm,
  b: isArm,
  at: (value) => value === "-1" || value in DATA.places,
  run: (value) => DATA.runs.key.includes(value) || !!DATA.generation?.runs.key.includes(value),
  theme: (value) => ["light", "dark"].includes(value),
};

function isArm(value) {
  return ARMS.some((arm) => arm.name === value);
}

/** Take over a fragment; what names nothing here is passed over. */
function readFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(DEFAULTS)) {
    const value = given.get(name);
    state[name] = value != null && known[name](value) ? value : DEFAULTS[name];
  }
  state.hide = new Set((given.get("hide") ?? "").split(",").filter(isArm));
  state.sizes = new Set((given.get("without") ?? "").split(",").filter((size) => SIZES.map(String).includes(size)));
  state.fixed = {};
  for (const axis of DATA.axes) {
    const value = given.get(`at.${axis.name}`);
    if (axis.values.map(String).includes(value)) state.fixed[axis.name] = value;
  }
}

function fragment() {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(DEFAULTS)) if (state[name] !== value) out.set(name, state[name]);
  if (state.hide.size) out.set("hide", [...state.hide].join(","));
  if (state.sizes.size) out.set("without", [...state.sizes].join(","));
  for (const [name, value] of Object.entries(state.fixed)) out.set(`at.${name}`, value);
  return out.toString();
}

/** Change what is chosen, remember it in the address, and show it. */
function choose(changes) {
  Object.assign(state, changes);
  const text = fragment();
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  show(Object.keys(changes));
}

function show(changed) {
  for (const { names, draw } of listeners) {
    if (!changed || names.some((name) => changed.includes(name))) draw();
  }
}

/** Call `draw` whenever one of `names` changes; it is called once at the start too. */
function whenever(names, draw) {
  listeners.push({ names, draw });
}

window.addEventListener("hashchange", () => {
  readFragment();
  show();
});

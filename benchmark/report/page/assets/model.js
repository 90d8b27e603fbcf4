// The data of the page, and what is chosen of it.

const DATA = JSON.parse(byId("data").textContent);
const ARMS = DATA.arms.map((arm, index) => ({ ...arm, index }));
const METRICS = new Map(DATA.metrics.map((metric) => [metric.name, metric]));
// Lines go along numbers; where the grid has none but words, charts have a row an arm at one of the words.
const X = DATA.axes[DATA.x].numeric ? DATA.axes[DATA.x] : DATA.axes[0];
const SIZES = DATA.axes[0].values;

for (const arm of ARMS) {
  document.documentElement.style.setProperty(`--arm-${arm.index}`, `light-dark(${arm.colour}, ${arm.dark})`);
}

/** The finite value of a metric of a run; null where there is none, or where it is a price on another device. */
function valueOf(metric, run) {
  const value = DATA.values[metric.name]?.[run];
  if (value == null || DATA.runs.status[run] !== "ok") return null;
  if (metric.price && DATA.timed_on && DATA.runs.device[run] !== DATA.timed_on) return null;
  return Number.isFinite(Number(value)) ? Number(value) : null;
}

/** Mean, half-width and n by arm and place, as the tables have them. */
const INTERVALS = new Map(
  [...METRICS.keys()].map((name) => [
    name,
    new Map(DATA.intervals[name].map(([arm, place, mean, half, n]) => [`${arm}/${place}`, { mean, half, n }])),
  ]),
);

const intervalOf = (metric, arm, place) => INTERVALS.get(metric.name)?.get(`${arm}/${place}`) ?? null;

/** Runs by arm and place, those that ended well, by seed. */
const OK = new Map();
for (const [arm, place, seed, run] of DATA.cells) {
  if (run == null || DATA.runs.status[run] !== "ok") continue;
  const at = `${arm}/${place}`;
  if (!OK.has(at)) OK.set(at, []);
  OK.get(at).push({ run, seed });
}
for (const runs of OK.values()) runs.sort((a, b) => a.seed - b.seed);

const runsAt = (arm, place) => OK.get(`${arm}/${place}`) ?? [];
const coordinate = (place, axis) => DATA.places[place][DATA.axes.indexOf(axis)];
const textOf = (axis, value) => axis.texts[axis.values.indexOf(value)];
const isShown = (arm) => !state.hide.has(arm.name);
const isSizeShown = (place) => !state.sizes.has(String(DATA.places[place][0]));

/** Places whose codebook size is chosen, and which stand where `fixed` says on all axes but `along`. */
function chosenPlaces(along) {
  return DATA.places
    .map((_, place) => place)
    .filter(
      (place) =>
        isSizeShown(place) &&
        DATA.axes.every(
          (axis) =>
            axis === along ||
            axis === DATA.axes[0] ||
            axis.values.length < 2 ||
            String(coordinate(place, axis)) === fixedValue(axis),
        ),
    );
}

/** Where an axis stands that is not drawn along: as chosen, else where the answer is told. */
const fixedValue = (axis) => state.fixed[axis.name] ?? String(DATA.places[DATA.told][DATA.axes.indexOf(axis)]);

/** Where the axes stand that are not drawn along, in words; empty where there are none. */
const standing = (along) =>
  DATA.axes
    .slice(1)
    .filter((axis) => axis.values.length > 1 && axis !== along)
    .map((axis) => {
      const text = axis.texts[axis.values.map(String).indexOf(fixedValue(axis))];
      return axis.numeric ? `${axis.symbol} = ${text}` : text;
    })
    .join(" · ");

/** What stands at a mean: value, interval, n, N and protocol. */
function meanWords(metric, arm, place, found) {
  const half = found.half == null ? "" : ` ± ${shown(metric, found.half)} (95 %)`;
  const tokens = DATA.tokens[place] == null ? "" : `N = ${number(DATA.tokens[place], 0)} test tokens`;
  return [
    `${arm.name} · ${DATA.titles[place]}`,
    `${metric.label} ${shown(metric, found.mean)}${unit(metric)}${half}`,
    [plural(found.n, "seed"), tokens].filter(Boolean).join(" · "),
    DATA.protocol,
  ]
    .filter(Boolean)
    .join("\n");
}

function runWords(metrics, run, place) {
  const arm = ARMS[DATA.runs.arm[run]];
  return [
    `${arm?.name ?? DATA.runs.named[run]} · ${place == null ? "" : DATA.titles[place]} · seed ${DATA.runs.seed[run]}`,
    ...metrics.map((metric) => `${metric.label} ${shown(metric, DATA.values[metric.name][run])}${unit(metric)}`),
  ].join("\n");
}

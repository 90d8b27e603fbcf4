// Explore: one metric along one axis, as it is chosen, and the same numbers as a table.

const metricOptions = () =>
  DATA.metrics.map((metric) => [metric.name, metric.label + (metric.unit ? `, ${metric.unit}` : "")]);

/** The horizontal axis: of the grid, or any metric. */
function axisOptions() {
  const axes = DATA.axes.filter((axis) => axis.values.length > 1).map((axis) => [axis.name, axis.label]);
  const rows = X.values.length > 1 ? [] : [[X.name, "By arm"]];
  return [
    { label: "Grid", options: [...axes, ...rows] },
    { label: "Against a metric", options: metricOptions() },
  ];
}

/** A choice for each further axis of the grid that is not drawn along. */
function fixedSelects(along) {
  return DATA.axes
    .slice(1)
    .filter((axis) => axis.values.length > 1 && axis.name !== along)
    .map((axis) =>
      select(
        axis.label,
        axis.values.map((value, i) => [String(value), axis.texts[i]]),
        fixedValue(axis),
        (value) => choose({ fixed: { ...state.fixed, [axis.name]: value } }),
      ),
    );
}

function drawControls() {
  rebuild(
    byId("explore").querySelector("form"),
    select("Metric", metricOptions(), state.metric, (metric) => choose({ metric })),
    FAMILIES.size > 1 && familySelect(),
    select("Along", axisOptions(), state.x, (x) => choose({ x })),
    fixedSelects(METRICS.has(state.x) ? X.name : state.x),
    choice(
      "Scale",
      "scale",
      [
        ["auto", "Auto"],
        ["linear", "Linear"],
        ["log", "Log"],
      ],
      state.scale,
      (scale) => choose({ scale }),
    ),
    choice(
      "Spread",
      "show",
      [
        ["seeds", "Seeds"],
        ["intervals", "95 % intervals"],
      ],
      state.show,
      (show) => choose({ show }),
    ),
  );
}

async function drawExplore() {
  const section = byId("explore");
  const metric = METRICS.get(state.metric);
  if (!metric) {
    replace(section.querySelector(".hint"), "No run that ended well measured anything.");
    return;
  }
  drawMeans(section.querySelector(".rows"), metric);
  const options = { scale: state.scale, show: state.show, titled: true };
  const missing = await chart(section.querySelector(".chart"), metric, state.x, options);
  const axis = DATA.axes.find((one) => one.name === state.x) ?? X;
  const where = standing(axis);
  const dots = dotsOf(chosenPlaces(axis));
  replace(
    section.querySelector(".hint"),
    `${metric.label}: ${metric.description}.`,
    where && ` At ${where}.`,
    missing && ` Not drawn: ${missing}.`,
    dots > MOST_DOTS && state.show === "seeds" && ` Not drawn: ${number(dots, 0)} seeds; fewer arms or sizes show theirs.`,
    " A click, or Enter on a point that the arrow keys reach, opens its run.",
  );
}

const MOST_SEEDS = 12;

/** Buttons that open the runs of an arm at a place, by seed, as many as a cell can hold. */
function seedButtons(runs) {
  const shownRuns = runs.length > MOST_SEEDS ? runs.slice(0, MOST_SEEDS - 1) : runs;
  const more = runs.length - shownRuns.length;
  return el(
    "span",
    { class: "seeds" },
    shownRuns.map(({ run, seed }) => runButton(DATA.runs.key[run], `seed ${seed}`)),
    more > 0 && el("span", {}, `and ${number(more, 0)} more, under Runs`),
  );
}

function drawMeans(node, metric) {
  const along = DATA.axes.find((axis) => axis.name === state.x) ?? X;
  const places = chosenPlaces(along);
  const rows = ARMS.filter(isShown)
    .flatMap((arm) => places.map((place) => ({ arm, place, found: intervalOf(metric, arm.index, place) })))
    .filter((row) => row.found);
  table(node, {
    caption: `${metric.label} by arm and place`,
    rows,
    columns: [
      { label: "Arm", value: (row) => row.arm.name, node: (row) => armNode(row.arm) },
      { label: "Where", value: (row) => row.place, text: (row) => DATA.titles[row.place], numeric: true, left: true },
      {
        label: metric.heading,
        value: (row) => row.found.mean,
        text: (row) => shown(metric, row.found.mean),
        numeric: true,
      },
      {
        label: "±\u00a0(95\u00a0%)",
        value: (row) => row.found.half,
        text: (row) => shown(metric, row.found.half),
        numeric: true,
      },
      { label: "n", value: (row) => row.found.n, numeric: true },
      {
        label: "Runs",
        value: (row) => row.found.n,
        text: () => "",
        left: true,
        node: (row) => seedButtons(runsAt(row.arm.index, row.place)),
      },
    ],
  });
}

async function drawPrice() {
  const section = byId("price");
  const prices = DATA.metrics.filter((metric) => metric.price);
  section.hidden = !prices.length || !DATA.headline;
  if (section.hidden) return;
  const cost = METRICS.get(state.cost)?.price ? METRICS.get(state.cost) : prices[0];
  const shownMetric = METRICS.get(state.costed) ?? METRICS.get(DATA.headline);
  rebuild(
    section.querySelector("form"),
    select(
      "Price",
      prices.map((metric) => [metric.name, metric.heading]),
      cost.name,
      (name) => choose({ cost: name }),
    ),
    select(
      "Of",
      DATA.metrics.filter((metric) => metric.direction).map((metric) => [metric.name, metric.heading]),
      shownMetric.name,
      (costed) => choose({ costed }),
    ),
  );
  const where = standing(X);
  const missing = await chart(section.querySelector(".chart"), shownMetric, cost.name, { titled: true });
  const device = DATA.timed_on ?? [...new Set(DATA.runs.device)].join(", ");
  replace(
    section.querySelector(".hint"),
    `Seconds and memory of runs on ${device || "an unknown device"}${where && `, at ${where}`}. ` +
      `${cost.label}: ${cost.description}. ` +
      "Times of different machines are not comparable; the notes below name them." +
      (missing && ` Not drawn: ${missing}.`),
  );
}

function drawRuns() {
  const { runs } = DATA;
  const metrics = DATA.metrics.slice(0, 4);
  const rows = runs.key.map((_, run) => run);
  const where = new Map(DATA.cells.filter((cell) => cell[3] != null).map((cell) => [cell[3], cell[1]]));
  const absent = DATA.cells
    .filter((cell) => cell[3] == null)
    .map(([arm, place, seed, , why]) => ({ arm, place, seed, why }));
  const name = (row) => (typeof row === "object" ? ARMS[row.arm].name : (ARMS[runs.arm[row]]?.name ?? runs.named[row]));
  const place = (row) => (typeof row === "object" ? row.place : where.get(row));
  const status = (row) => {
    if (typeof row === "object") return row.why ? `unavailable: ${row.why}` : "not run yet";
    const end = runs.reason[row] ? `${runs.status[row]}: ${runs.reason[row]}` : runs.status[row];
    return runs.planned[row] ? end : `${end} (another protocol, in no chart)`;
  };
  table(byId("runs").querySelector(".rows"), {
    caption: "Every run of the suite",
    rows: [...rows, ...absent],
    columns: [
      {
        label: "Run",
        value: (row) => (typeof row === "object" ? "–" : runs.key[row]),
        node: (row) => (typeof row === "object" ? "–" : runButton(runs.key[row], runs.key[row])),
      },
      { label: "Arm", value: name, node: (row) => el("span", { class: "name" }, name(row)) },
      {
        label: "Where",
        value: (row) => place(row) ?? null,
        text: (row) => DATA.titles[place(row)] ?? "–",
        numeric: true,
        left: true,
      },
      { label: "Seed", value: (row) => (typeof row === "object" ? row.seed : runs.seed[row]), numeric: true },
      { label: "Ended", value: status },
      ...metrics.map((metric) => ({
        label: metric.heading,
        numeric: true,
        value: (row) => (typeof row === "object" ? null : DATA.values[metric.name][row]),
        text: (row) => (typeof row === "object" ? "–" : shown(metric, DATA.values[metric.name][row])),
      })),
    ],
  });
}

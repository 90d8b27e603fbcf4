// A metric along an axis of the grid, by arm, or against another metric.

const MOST_DOTS = 3000;
const USUAL_OCTAVES = 6; // of an axis; on a shorter one arms stand closer beside each other

/** How many dots seeds would be: more than `MOST_DOTS` a browser can't draw, and the means stay alone. */
const dotsOf = (places) =>
  ARMS.filter(isShown).reduce(
    (sum, arm) => places.reduce((own, place) => own + runsAt(arm.index, place).length, sum),
    0,
  );

/** Means, and seeds or intervals, of the arms that are shown; `across(arm, place)` is where a mean stands. */
function rowsOf(metric, places, across) {
  const rows = [];
  const dots = dotsOf(places) <= MOST_DOTS;
  for (const arm of ARMS.filter(isShown)) {
    places.forEach((place, order) => {
      const found = intervalOf(metric, arm.index, place);
      const runs = runsAt(arm.index, place).filter(({ run }) => valueOf(metric, run) != null);
      if (!found || !runs.length) return;
      const half = found.half == null ? null : found.half * metric.scale;
      const mean = found.mean * metric.scale;
      const floor = metric.lowest == null ? -Infinity : metric.lowest * metric.scale;
      const roof = metric.unit === "%" ? 100 : Infinity;
      const look = { ...lookOf(arm), row: arm.name, line: arm.name, order, place };
      rows.push({
        ...look,
        kind: "mean",
        x: across(arm, place),
        y: mean,
        key: DATA.runs.key[runs[0].run],
        low: half == null ? null : Math.max(mean - half, floor),
        high: half == null ? null : Math.min(mean + half, roof),
        tip: meanWords(metric, arm, place, found),
      });
      if (dots && runs.length > 1) {
        for (const { run } of runs) {
          rows.push({
            ...look,
            kind: "seed",
            x: across(arm, place, run),
            y: valueOf(metric, run) * metric.scale,
            key: DATA.runs.key[run],
            tip: runWords([metric], run, place),
          });
        }
      }
    });
  }
  return rows;
}

const shownRows = (rows, show) => (show === "intervals" ? withoutSeeds(rows) : rows);
const withoutSeeds = (rows) => rows.filter((row) => row.kind !== "seed");

/** What stands for `log` in the choice of scales. */
const isLog = (metric, rows, scale) =>
  scale === "auto" ? metric.unit !== "%" && isWide(rows.map((row) => row.y)) : scale === "log";

/** Leave out what the axes can't have, and say how much that was. */
function onAxes(rows, xLog, yLog) {
  const fit = rows
    .filter((row) => row.x != null && (!xLog || row.x > 0) && (!yLog || row.y > 0))
    .map((row) => (yLog && row.low != null && row.low <= 0 ? { ...row, low: row.y * 0.05 } : row));
  const kept = yLog ? fit : withoutFar(fit);
  const means = (all) => all.filter((row) => row.kind === "mean").length;
  const count = (more, less) => means(more) - means(less);
  const parts = [
    count(rows, fit) && `${plural(count(rows, fit), "mean")} without a place on a logarithmic axis or the other metric`,
    count(fit, kept) && `${plural(count(fit, kept), "mean")} of references so far off that the arms would stand as one`,
  ];
  return { rows: kept, missing: parts.filter(Boolean).join("; ") };
}

const FAR = 1.5;

/** Without references that lie further from the arms than `FAR` times what these span. */
function withoutFar(rows) {
  const own = rows.filter((row) => !row.reference && (row.kind === "mean" || row.kind === "seed")).map((row) => row.y);
  const [low, high] = [Math.min(...own), Math.max(...own)];
  const reach = FAR * (high - low);
  const isNear = (row) => row.y <= high + reach && row.y >= low - reach;
  return reach > 0 ? rows.filter((row) => !row.reference || isNear(row)) : rows;
}

/** The metric along an axis of numbers, a line an arm, the ceiling dotted. */
async function alongAxis(node, metric, axis, { scale = "auto", show = "seeds", rings = [], titled = false } = {}) {
  const places = chosenPlaces(axis);
  const sorted = [...axis.values].sort((a, b) => a - b);
  const octaves = axis.log ? Math.log2(sorted[sorted.length - 1] / sorted[0]) : USUAL_OCTAVES;
  const step = Math.min(0.035, 0.6 / ARMS.length) * Math.min(1, octaves / USUAL_OCTAVES);
  const shift = new Map(ARMS.map((arm, i) => [arm.index, (i - (ARMS.length - 1) / 2) * step]));
  const gap = Math.min(
    ...sorted.slice(1).map((value, i) => value - sorted[i]),
    (sorted[sorted.length - 1] - sorted[0]) / 3,
  );
  const move = (value, arm) => (axis.log ? value * 2 ** shift.get(arm.index) : value + shift.get(arm.index) * gap);
  const isRule = (arm) => arm.size_free && axis === DATA.axes[0];
  let rows = rowsOf(metric, places, (arm, place) => (isRule(arm) ? null : move(coordinate(place, axis), arm)));
  const ends = places.map((place) => coordinate(place, axis));
  const yLog = isLog(metric, rows, scale);
  const rules = rows
    .filter((row) => row.x == null && row.kind === "mean")
    .slice()
    .filter((row, i, all) => all.findIndex((other) => other.arm === row.arm) === i);
  rows = rows.filter((row) => row.x != null);
  for (const row of rules) {
    rows.push(
      { ...row, kind: "rule", x: Math.min(...ends), order: 0 },
      { ...row, kind: "mean", low: null, x: Math.max(...ends), order: 1 },
    );
  }
  const bounds = DATA.ceilings[metric.name] ?? [];
  for (const place of places) {
    if (bounds[place] != null)
      rows.push({ kind: "ceiling", x: coordinate(place, axis), y: bounds[place] * metric.scale });
  }
  const kept = onAxes([...rows, ...rings], axis.log, yLog);
  const values = axis.values.filter((value) => ends.includes(value));
  const x = position("x", {
    scale: axis.log ? { type: "log", base: 2, nice: false, padding: 16 } : { zero: false, nice: false, padding: 16 },
    axis: {
      title: axis.label,
      values,
      labelExpr: axis === DATA.axes[0] ? SIZE : PLAIN,
      grid: false,
      labelOverlap: "greedy",
    },
  });
  const y = position(
    "y",
    withShares(
      metric,
      yLog,
      valueAxis(
        metric,
        yLog,
        kept.rows.map((row) => row.y),
        titled,
      ),
    ),
  );
  const data = shownRows(kept.rows, show);
  const ceiling = {
    transform: [{ filter: "datum.kind == 'ceiling'" }],
    encoding: { x, y },
    mark: { type: "line", strokeDash: [2, 3], strokeWidth: 1.4, stroke: "var(--soft)", aria: false },
  };
  const layer = layersOf(data, [
    ["ceiling", ceiling],
    [show === "intervals" && hasInterval(data) && "mean", intervalRules(x, y)],
    ["mean", lines(x, y)],
    ["seed", seedPoints(x, y)],
    ["mean", meanPoints(x, y)],
    ["ring", ringPoints(x, y)],
  ]);
  const spec = layer.length ? { data: { values: data }, layer } : null;
  await draw(node, spec, `${metric.label} along ${axis.label}, a line an arm`);
  return kept.missing;
}

const hasInterval = (rows) => rows.some((row) => row.low != null);

/** Shares have the whole axis from 0 to 100 %. */
const withShares = (metric, log, axis) =>
  metric.unit === "%" && !log ? { ...axis, scale: { domain: [0, 103], nice: false } } : axis;

function ringPoints(x, y) {
  return {
    transform: [{ filter: "datum.kind == 'ring'" }],
    mark: { type: "point", filled: false, size: 150, strokeWidth: 1.8, opacity: 1, shape: "circle" },
    encoding: { x, y, color: LOOKS.colour, tooltip: LOOKS.tip, description: LOOKS.tip },
  };
}

/** The metric by arm, a row an arm and, where words are an axis, a column a word. */
async function byArm(node, metric, axis, { scale = "auto", show = "seeds", rings = [] } = {}) {
  const places = chosenPlaces(axis);
  const many = axis && axis.values.length > 1;
  const rows = rowsOf(metric, places, () => 0).map((row) => ({ ...row, x: row.y, y: row.arm }));
  const xLog = isLog(
    metric,
    rows.map((row) => ({ y: row.x })),
    scale,
  );
  const x = position(
    "x",
    withShares(
      metric,
      xLog,
      valueAxis(
        metric,
        xLog,
        rows.map((row) => row.x),
      ),
    ),
  );
  const words = many ? rows.map((row) => ({ ...row, word: textOf(axis, coordinate(row.place, axis)) })) : rows;
  const kept = onAxes(
    words.map((row) => ({ ...row, y: 1, at: row.y })),
    xLog,
    false,
  );
  const order = ARMS.filter(isShown)
    .map((arm) => arm.name)
    .filter((name) => kept.rows.some((row) => row.at === name));
  const label = many ? (row) => `${row.at} · ${row.word}` : (row) => row.at;
  const data = [...shownRows(kept.rows, show), ...rings].map((row) => ({ ...row, at: label(row) }));
  const sort = many
    ? order
        .flatMap((name) => axis.texts.map((word) => `${name} · ${word}`))
        .filter((at) => data.some((row) => row.at === at))
    : order;
  const y = {
    field: "at",
    type: "nominal",
    sort,
    axis: { title: null, labelLimit: 220, grid: true, tickSize: 0, domain: false },
  };
  node.style.setProperty("--rows", sort.length);
  node.classList.add("by-arm");
  const rules = intervalRules(x, y);
  rules.encoding = { y, x: { ...x, field: "low" }, x2: { field: "high" }, color: LOOKS.colour };
  const layer = layersOf(data, [
    [show === "intervals" && hasInterval(data) && "mean", rules],
    ["seed", seedPoints(x, y)],
    ["mean", meanPoints(x, y)],
    ["ring", ringPoints(x, y)],
  ]);
  await draw(node, layer.length ? { data: { values: data }, layer } : null, `${metric.label}, a row an arm`);
  return kept.missing;
}

/** One metric against another, a line an arm along the grid. */
async function against(node, metric, other, { scale = "auto", show = "seeds", titled = false } = {}) {
  const places = chosenPlaces(X);
  const meanOf = (arm, place) => intervalOf(other, arm.index, place)?.mean;
  const scaled = (value) => (value == null ? null : value * other.scale);
  const rows = rowsOf(metric, places, (arm, place, run) =>
    scaled(run == null ? meanOf(arm, place) : valueOf(other, run)),
  ).map((row) => ({
    ...row,
    tip: row.kind === "mean" ? `${row.tip}\n${other.label} ${number(row.x, other.decimals)}${unit(other)}` : row.tip,
  }));
  const yLog = isLog(metric, rows, scale);
  const xLog = isWide(rows.map((row) => row.x).filter((value) => value != null));
  const kept = onAxes(rows, xLog, yLog);
  const x = position(
    "x",
    valueAxis(
      other,
      xLog,
      kept.rows.map((row) => row.x),
    ),
  );
  const y = position(
    "y",
    valueAxis(
      metric,
      yLog,
      kept.rows.map((row) => row.y),
      titled,
    ),
  );
  const data = shownRows(kept.rows, show);
  const layer = layersOf(data, [
    [show === "intervals" && hasInterval(data) && "mean", intervalRules(x, y)],
    ["mean", lines(x, y)],
    ["seed", seedPoints(x, y)],
    ["mean", meanPoints(x, y)],
  ]);
  await draw(
    node,
    layer.length ? { data: { values: data }, layer } : null,
    `${metric.label} against ${other.label}, a line an arm`,
  );
  return kept.missing;
}

/** The chart that suits the horizontal axis: along numbers, by arm, or against a metric. */
function chart(node, metric, x, options) {
  node.classList.remove("by-arm");
  const axis = DATA.axes.find((one) => one.name === x);
  if (!axis && METRICS.has(x)) return against(node, metric, METRICS.get(x), options);
  if (axis && axis.numeric && axis.values.length > 1) return alongAxis(node, metric, axis, options);
  return byArm(node, metric, axis ?? null, options);
}

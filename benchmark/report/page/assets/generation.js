// The second stage: what priors learned of the codes, their samples, and what those could be at best and at worst.

const GENERATION = DATA.generation;
const PRIOR_METRICS = new Map((GENERATION?.metrics ?? []).map((metric) => [metric.name, metric]));
const isArmAt = (arm, place) => isShown(ARMS[arm]) && isSizeShown(place);

function priorInterval(name, arm, place) {
  const found = GENERATION.intervals[name].find(([a, at]) => a === arm && at === place);
  return found ? { mean: found[2], half: found[3], n: found[4] } : null;
}

/** The first prior of each tokenizer at a place that ended well, by the tokenizer's seed. */
function priorsAt(arm, place) {
  const { runs } = GENERATION;
  return runs.key
    .map((key, run) => ({ key, run, seed: runs.seed[run] }))
    .filter(({ run }) => runs.arm[run] === arm && runs.place[run] === place)
    .filter(({ run }) => runs.prior_seed[run] === 0 && runs.status[run] === "ok")
    .sort((a, b) => a.seed - b.seed);
}

const withHalf = (metric, found) =>
  found ? shown(metric, found.mean) + (found.half == null ? "" : ` ± ${shown(metric, found.half)}`) : "–";

function drawGeneration() {
  const section = byId("generation");
  section.hidden = !GENERATION;
  if (section.hidden) return;
  const { runs } = GENERATION;
  const bad = runs.status.filter((status) => status !== "ok").length;
  const parts = [
    "A prior of the same kind and size for all arms, trained on the codes of every tokenizer.",
    bad && `${plural(bad, "prior")} did not end well.`,
    runs.absent && `${plural(runs.absent, "prior")} of the plan are not there yet.`,
  ];
  replace(section.querySelector(".hint"), parts.filter(Boolean).join(" "));
  drawPriorCharts(section.querySelector(".panels"));
  drawSheets(section.querySelector(".sheets"));
  drawPriorMeans(section.querySelector(".means"));
  drawAnchors(section.querySelector(".anchors"));
  drawPriorRuns(section.querySelector(".every"));
  replace(
    section.querySelector("ul"),
    GENERATION.notes.map((note) => el("li", {}, coded(note))),
  );
}

/** Samples against reconstructions, and of every place that is shown the priors' curves. */
function drawPriorCharts(node) {
  const places = chosenPlaces(null).filter((place) => GENERATION.curves.some(([, at]) => at === place));
  const where = (place) => (DATA.places.length > 1 ? ` · ${DATA.titles[place]}` : "");
  const panels = [
    ...(GENERATION.against ? [[scatterTitle(), drawScatter]] : []),
    ...places.map((place) => [`Over the prior’s training${where(place)}`, (chart) => drawPriorCurves(chart, place)]),
  ];
  replace(
    node,
    panels.map(([title]) =>
      el("figure", { class: "panel" }, el("figcaption", {}, title), el("div", { class: "chart" })),
    ),
  );
  panels.forEach(([, drawIt], i) => drawIt(node.children[i].querySelector(".chart")));
}

const scatterTitle = () =>
  `${PRIOR_METRICS.get(GENERATION.against[1]).label.split(", ")[0]}: samples against reconstructions`;

function scatterRows(names, metrics) {
  const rows = [];
  for (const arm of ARMS.filter(isShown)) {
    chosenPlaces(X).forEach((place, order) => {
      const [x, y] = names.map((name) => priorInterval(name, arm.index, place));
      if (!x || !y) return;
      const own = { ...lookOf(arm), line: arm.name, order, place };
      const priors = priorsAt(arm.index, place);
      const words = (i, value) => `${metrics[i].label} ${value}${unit(metrics[i])}`;
      rows.push({
        ...own,
        kind: "mean",
        x: x.mean,
        y: y.mean,
        key: priors[0]?.key,
        tip: [
          `${arm.name} · ${DATA.titles[place]}`,
          words(0, withHalf(metrics[0], x)),
          words(1, withHalf(metrics[1], y)),
          `${plural(x.n, "seed")}, a prior each`,
        ].join("\n"),
      });
      for (const { key, run, seed } of priors.length > 1 ? priors : []) {
        const values = names.map((name) => GENERATION.values[name][run]);
        if (!values.every((value) => value != null && Number.isFinite(Number(value)))) continue;
        const tip = [`${arm.name} · ${DATA.titles[place]} · seed ${seed}`];
        tip.push(...values.map((value, i) => words(i, shown(metrics[i], value))));
        rows.push({ ...own, kind: "seed", x: values[0], y: values[1], key, tip: tip.join("\n") });
      }
    });
  }
  return rows;
}

function drawScatter(node) {
  const names = GENERATION.against;
  const metrics = names.map((name) => PRIOR_METRICS.get(name));
  const rows = scatterRows(names, metrics);
  const all = rows.flatMap((row) => [row.x, row.y]);
  const log = isWide(all);
  // Where samples are as near to the test images as reconstructions are.
  const even = [Math.min(...all), Math.max(...all)].map((value) => ({ kind: "even", x: value, y: value }));
  const axisOf = (metric, title) => {
    const own = valueAxis(metric, log, all);
    return { scale: { ...own.scale, padding: 10 }, axis: { ...own.axis, title } };
  };
  const x = position("x", axisOf(metrics[0], "reconstructions ↓"));
  const y = position("y", axisOf(metrics[1], "samples ↓"));
  const values = rows.length ? [...even, ...rows] : [];
  const layer = layersOf(values, [
    ["even", { ...evenLine(x, y), transform: [{ filter: "datum.kind == 'even'" }] }],
    ["mean", lines(x, y)],
    ["seed", seedPoints(x, y)],
    ["mean", meanPoints(x, y)],
  ]);
  const words = `${metrics[1].label} against ${metrics[0].label}; dotted: samples as near as reconstructions`;
  draw(node, layer.length ? { data: { values }, layer } : null, words);
}

const evenLine = (x, y) => ({
  mark: { type: "line", strokeDash: [2, 3], strokeWidth: 1.4, stroke: "var(--soft)", aria: false, tooltip: null },
  encoding: { x, y },
});

/** Bits a position of validation codes by step of the prior, a line an arm; its end opens the prior. */
function drawPriorCurves(node, place) {
  const rows = GENERATION.curves
    .filter(([arm, at]) => at === place && isShown(ARMS[arm]))
    .flatMap(([arm, , steps, bits]) =>
      steps.map((step, order) => {
        const last = order === steps.length - 1;
        const own = { ...lookOf(ARMS[arm]), line: ARMS[arm].name, kind: last ? "mean" : "rule", order };
        const tip = `${ARMS[arm].name} · ${DATA.titles[place]}\n${number(bits[order], 3)} bits a position after ${plural(step, "step")} of the prior`;
        return { ...own, x: step, y: bits[order], ...(last ? { key: priorsAt(arm, place)[0]?.key, tip } : {}) };
      }),
    );
  const [steps, bits] = [rows.map((row) => row.x), rows.map((row) => row.y)];
  const x = position("x", {
    scale: { type: "log", nice: false, padding: 10 },
    axis: { title: "step of the prior", labelExpr: PLAIN, labelOverlap: "greedy", grid: false, values: logTicks(steps) },
  });
  const y = position("y", {
    scale: { zero: false, nice: true, padding: 6 },
    axis: { title: "validation NLL, bits/position ↓", labelExpr: PLAIN, tickCount: 5, labelOverlap: "greedy" },
  });
  const layer = [lines(x, y), meanPoints(x, y)];
  draw(node, bits.length ? { data: { values: rows }, layer } : null, "Bits a position over the prior’s training");
}

/** The first samples of every arm's prior, not chosen. */
function drawSheets(node) {
  const sheets = GENERATION.sheets.filter(([arm]) => isShown(ARMS[arm]));
  const there = sheets.filter(([, , key]) => DATA.samples[key]?.generated);
  const classes = GENERATION.classes.length ? `A row a class, from above: ${GENERATION.classes.join(", ")}.` : "";
  const missing = there.length < sheets.length ? " Those of some arms are left out, for want of room." : "";
  replace(
    node,
    el("h3", {}, "Samples"),
    sheets.length
      ? el("p", { class: "hint" }, `The first samples of each prior, not chosen. ${classes}${missing}`)
      : el("p", { class: "hint" }, "No prior of an arm that is shown left samples."),
    el(
      "div",
      { class: "sheetrow" },
      there.map(([arm, place, key]) =>
        el(
          "figure",
          {},
          el("figcaption", {}, armNode(ARMS[arm]), " ", runButton(key, DATA.titles[place])),
          generatedImage(DATA.samples[key].generated, ARMS[arm].name),
        ),
      ),
    ),
  );
}

const generatedImage = (id, name) => el("img", { src: DATA.media[id], alt: `Samples of the prior of ${name}` });

/** Columns that tell which arm and place a row is of. */
const armColumn = (arm) => ({ label: "Arm", value: (row) => ARMS[arm(row)].name, node: (row) => armNode(ARMS[arm(row)]) });
const placeColumn = (place) => ({
  label: "Where",
  value: (row) => place(row),
  text: (row) => DATA.titles[place(row)] ?? "–",
  numeric: true,
  left: true,
});

function drawPriorMeans(node) {
  const cells = new Map();
  for (const name of GENERATION.columns) {
    for (const [arm, place, , , n] of GENERATION.intervals[name]) cells.set(`${arm}/${place}`, { arm, place, n });
  }
  const rows = [...cells.values()].filter(({ arm, place }) => isArmAt(arm, place));
  rows.sort((a, b) => a.place - b.place || a.arm - b.arm);
  const metricColumn = (name) => ({
    label: PRIOR_METRICS.get(name).heading,
    numeric: true,
    value: (row) => priorInterval(name, row.arm, row.place)?.mean ?? null,
    text: (row) => withHalf(PRIOR_METRICS.get(name), priorInterval(name, row.arm, row.place)),
  });
  const columns = [armColumn((row) => row.arm), placeColumn((row) => row.place), ...GENERATION.columns.map(metricColumn)];
  columns.push({ label: "n", value: (row) => row.n, numeric: true });
  table(node, { caption: "What a prior learns of the codes", rows, columns });
}

function drawAnchors(node) {
  const { anchors } = GENERATION;
  node.hidden = !anchors?.metrics.length;
  if (node.hidden) return;
  const rows = anchors.rows.filter(([arm, place]) => (arm == null ? isSizeShown(place) : isArmAt(arm, place)));
  const metricColumn = (metric, i) => ({
    label: metric.heading,
    numeric: true,
    value: (row) => row[3][i]?.[0] ?? null,
    text: (row) => withHalf(metric, row[3][i] && { mean: row[3][i][0], half: row[3][i][1] }),
  });
  table(node, {
    caption: "Samples beside what they could be at best and at worst",
    rows,
    columns: [
      {
        label: "Arm",
        value: (row) => ARMS[row[0]]?.name ?? "all alike",
        node: (row) => (row[0] == null ? "all alike" : armNode(ARMS[row[0]])),
      },
      placeColumn((row) => row[1]),
      { label: "Images", value: (row) => row[2] },
      ...anchors.metrics.map(metricColumn),
    ],
  });
}

function drawPriorRuns(node) {
  const { runs } = GENERATION;
  const rows = runs.key.map((_, run) => run).filter((run) => isArmAt(runs.arm[run], runs.place[run]));
  const ended = (run) => (runs.reason[run] ? `${runs.status[run]}: ${runs.reason[run]}` : runs.status[run]);
  table(node, {
    caption: "Every prior",
    rows,
    columns: [
      { label: "Prior", value: (run) => runs.key[run], node: (run) => runButton(runs.key[run], runs.key[run]) },
      { label: "Arm", value: (run) => ARMS[runs.arm[run]].name },
      placeColumn((run) => runs.place[run]),
      { label: "Seed of the tokenizer", value: (run) => runs.seed[run], numeric: true },
      { label: "Seed of the prior", value: (run) => runs.prior_seed[run], numeric: true },
      { label: "Ended", value: ended },
    ],
  });
}

// Two arms: paired differences by seed and place, what the tests say of them, samples and cards side by side.

const LEVEL = 0.05;

function twoArms() {
  const usual = ARMS.filter((arm) => arm.remedy);
  const pick = usual.length > 1 ? usual : ARMS;
  const named = (name) => ARMS.find((arm) => arm.name === name);
  const a = named(state.a) ?? pick[0];
  const b = named(state.b) ?? pick.find((arm) => arm !== a) ?? ARMS.find((arm) => arm !== a);
  return [a, b];
}

function drawCompare() {
  const section = byId("compare");
  const [a, b] = twoArms();
  section.hidden = !b || !METRICS.size;
  if (section.hidden) return;
  const metric = METRICS.get(state.judged) ?? DATA.metrics[0];
  const options = ARMS.map((arm) => [arm.name, arm.name]);
  rebuild(
    section.querySelector("form"),
    select("Arm", options, a.name, (name) => choose({ a: name })),
    select("less", options, b.name, (name) => choose({ b: name })),
    select("Metric", metricOptions(), metric.name, (judged) => choose({ judged })),
    DATA.places.length > 1 &&
      select(
        "Tested over",
        [["-1", DATA.together], ...DATA.titles.map((title, i) => [String(i), title])],
        state.at,
        (at) => choose({ at }),
      ),
  );
  const pairs = pairedDifferences(metric, a, b);
  replace(section.querySelector(".verdict"), coded(verdict(metric, a, b, pairs)));
  drawDifferences(section.querySelector(".chart"), metric, a, b, pairs);
  drawPairs(section.querySelector(".rows"), metric, a, b, pairs);
  drawSamples(section.querySelector(".beside"), a, b);
  replace(section.querySelector(".methods"), [...new Set([a.method, b.method])].map(card));
}

/** One difference a place and seed that both arms have. */
function pairedDifferences(metric, a, b) {
  return DATA.places.flatMap((_, place) => {
    const others = new Map(runsAt(b.index, place).map(({ run, seed }) => [seed, run]));
    return runsAt(a.index, place)
      .filter(({ seed }) => others.has(seed))
      .map(({ run, seed }) => {
        const [one, other] = [valueOf(metric, run), valueOf(metric, others.get(seed))];
        return {
          place,
          seed,
          run,
          against: others.get(seed),
          one,
          other,
          difference: one == null || other == null ? null : one - other,
        };
      })
      .filter((pair) => pair.difference != null);
  });
}

/** What the tests say, and nothing that they do not. */
function verdict(metric, a, b, pairs) {
  const names = `\`${a.name}\` less \`${b.name}\``;
  if (a === b) return "An arm differs from itself by nothing; choose another.";
  if (!pairs.length)
    return `${names}: no place and seed has a run of both that ended well and measured ${metric.label}.`;
  const tests = DATA.pairs[metric.name]?.[state.at];
  const found = tests?.find(([i, j]) => (i === a.index && j === b.index) || (i === b.index && j === a.index));
  const counted = `${plural(pairs.length, "pair")} of runs below`;
  if (!found) {
    const why = !DATA.tuned
      ? "the arms are untuned, and what is not tuned is not ranked"
      : !a.remedy || !b.remedy
        ? "one of them is untuned beside tuned arms, or no whole remedy with a codebook of this size"
        : !tests && DATA.pairs[metric.name]
          ? "there are too many pairs for a test at each place; see all places together"
          : "this metric has no test here, or no block has all arms";
    return `${names}: not tested, since ${why}. ${counted}.`;
  }
  const [i, , mean, half, , holm, n] = found;
  const sign = i === a.index ? 1 : -1;
  const by = `${sign * mean > 0 ? "+" : ""}${shown(metric, sign * mean, 1)}${half == null ? "" : ` ± ${shown(metric, half, 1)}`}${unit(metric)}`;
  const where = state.at === "-1" ? `over ${DATA.together}` : `at ${DATA.titles[state.at]}`;
  if (holm == null)
    return `${names}: ${by} in ${metric.label} ${where}; one seed is left, so nothing is tested. ${counted}.`;
  const p = holm < 0.001 ? "p < 0.001" : `p = ${holm.toFixed(3)}`;
  const said = holm < LEVEL ? "beyond chance" : "can't be told from chance";
  return `${names}: ${by} in ${metric.label} ${where}, ${plural(n, "seed")}: ${said} (${p}, Holm-corrected over all pairs of arms). ${counted}.`;
}

function drawDifferences(node, metric, a, b, pairs) {
  const rows = pairs.map((pair) => ({
    ...lookOf(a),
    kind: "seed",
    at: DATA.titles[pair.place],
    x: pair.difference * metric.scale,
    key: DATA.runs.key[pair.run],
    tip: `${DATA.titles[pair.place]} · seed ${pair.seed}\n${a.name} ${shown(metric, pair.one)}\n${b.name} ${shown(metric, pair.other)}\ndifference ${shown(metric, pair.difference, 1)}${unit(metric)}`,
  }));
  const places = DATA.titles.filter((title) => rows.some((row) => row.at === title));
  node.style.setProperty("--rows", Math.max(places.length, 1));
  node.classList.add("by-arm");
  const x = position("x", {
    scale: { zero: true, nice: true },
    axis: {
      title: `Difference in ${metric.label}${metric.unit ? `, ${metric.unit}` : ""}`,
      labelExpr: PLAIN,
      tickCount: 6,
      labelOverlap: "greedy",
    },
  });
  const y = {
    field: "at",
    type: "nominal",
    sort: places,
    axis: { title: null, labelLimit: 260, grid: true, domain: false, tickSize: 0 },
  };
  const dots = seedPoints(x, y);
  dots.mark = { ...dots.mark, size: 60, opacity: 0.85 };
  draw(
    node,
    rows.length && {
      data: { values: rows },
      layer: [
        {
          data: { values: [{ zero: 0 }] },
          mark: { type: "rule", stroke: "var(--soft)", strokeDash: [4, 3], aria: false },
          encoding: { x: { field: "zero", type: "quantitative" } },
        },
        dots,
      ],
    },
    `Differences in ${metric.label} of ${a.name} less ${b.name}, a dot a seed`,
  );
}

function drawPairs(node, metric, a, b, pairs) {
  table(node, {
    caption: `Paired differences of ${a.name} less ${b.name}`,
    rows: pairs,
    columns: [
      {
        label: "Where",
        value: (pair) => pair.place,
        text: (pair) => DATA.titles[pair.place],
        numeric: true,
        left: true,
      },
      { label: "Seed", value: (pair) => pair.seed, numeric: true },
      {
        label: a.name,
        numeric: true,
        value: (pair) => pair.one,
        node: (pair) => runButton(DATA.runs.key[pair.run], shown(metric, pair.one)),
        text: (pair) => shown(metric, pair.one),
      },
      {
        label: b.name,
        numeric: true,
        value: (pair) => pair.other,
        node: (pair) => runButton(DATA.runs.key[pair.against], shown(metric, pair.other)),
        text: (pair) => shown(metric, pair.other),
      },
      {
        label: "Difference",
        numeric: true,
        value: (pair) => pair.difference,
        text: (pair) => (pair.difference > 0 ? "+" : "") + shown(metric, pair.difference, 1),
      },
    ],
  });
}

/** The card of a method; of one that is not known here, that. */
function card(method) {
  const found = DATA.cards[method];
  if (!found)
    return el(
      "article",
      { class: "card" },
      el("h3", {}, method),
      el("p", {}, "No card: this method is not known where the page was made."),
    );
  const listed = (title, entries, none) => [
    el("h4", {}, title),
    entries.length
      ? el(
          "ul",
          {},
          entries.map((entry) => el("li", {}, coded(entry))),
        )
      : el("p", {}, none),
  ];
  return el(
    "article",
    { class: "card" },
    el("h3", {}, method),
    el("p", {}, coded(found.idea)),
    el(
      "dl",
      {},
      [
        ["Paper", found.paper],
        ["Authors’ code", found.code],
        ["Trains", found.trains],
        ["Memory", found.memory],
        ["Over a run", found.schedule],
      ]
        .filter(([, text]) => text)
        .flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, coded(text))]),
    ),
    el(
      "details",
      {},
      el("summary", {}, "Deviations and evidence"),
      listed("Deviations", found.differences, "none known"),
      listed("Evidence", found.evidence, "not verified"),
    ),
  );
}

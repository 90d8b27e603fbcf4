// Vega-Lite charts: one look, tooltips, points that the keyboard reaches and that open their run.

const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif'; // which a canvas can measure

const CONFIG = {
  font: SANS,
  background: "transparent",
  padding: 4,
  view: { stroke: null },
  axis: {
    labelColor: "var(--soft)",
    titleColor: "var(--ink)",
    gridColor: "var(--grid)",
    domainColor: "var(--line)",
    tickColor: "var(--line)",
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 500,
    labelFont: SANS,
    titleFont: SANS,
    labelPadding: 5,
    labelFlush: false,
    titlePadding: 8,
  },
};
const PLAIN = "abs(datum.value) >= 100000 ? format(datum.value, '~s') : format(datum.value, ',~g')";
const SIZE =
  "datum.value >= 10000 && datum.value % 1024 == 0 ? format(datum.value / 1024, ',') + 'k' : format(datum.value, ',~g')";

const tip = byId("tip");

function tell(text, x, y) {
  replace(
    tip,
    text.split("\n").map((line, i) => el(i ? "span" : "strong", {}, line)),
  );
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 12 : y + 18}px`;
}

const quiet = () => {
  tip.hidden = true;
};

function tooltip(_handler, event, item, value) {
  if (value == null || value === "") quiet();
  else tell(String(value), event.clientX, event.clientY);
}

/** Draw a specification, or say that there is nothing, into `node`, whose height the style sheet sets. */
async function draw(node, spec, words) {
  if (!spec) {
    node.turn = (node.turn ?? 0) + 1;
    replace(node, el("p", { class: "hint" }, "Nothing of what is chosen has this value."));
    return;
  }
  const full = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width: "container",
    height: "container",
    autosize: { type: "fit", contains: "padding" },
    description: words,
    config: CONFIG,
    ...spec,
  };
  node.turn = (node.turn ?? 0) + 1;
  const turn = node.turn;
  const inner = el("div", { class: "drawing" });
  const options = { renderer: "svg", ast: true, actions: false, defaultStyle: false, tooltip };
  node.result?.finalize();
  replace(node, inner);
  const result = await vegaEmbed(inner, full, options);
  if (turn !== node.turn) return result.finalize();
  node.result = result;
  result.view.addEventListener("click", (_event, item) => item?.datum?.key && openRun(item.datum.key));
  reach(inner);
  // A container that changes its width draws its points anew.
  result.view.addResizeListener(() => setTimeout(() => reach(inner), 0));
}

/** One tab stop a chart; arrows go from point to point, Enter opens the run. */
function reach(inner) {
  const points = [...inner.querySelectorAll(".mark-symbol path[aria-label]")].filter(
    (point) => point.__data__?.datum?.key,
  );
  points.sort((a, b) => a.__data__.x - b.__data__.x || a.__data__.y - b.__data__.y);
  points.forEach((point, i) => {
    point.setAttribute("tabindex", i ? "-1" : "0");
    point.setAttribute("role", "button");
    point.onfocus = () => {
      const box = point.getBoundingClientRect();
      tell(point.__data__.datum.tip, box.right, box.top);
    };
    point.onblur = quiet;
    point.onkeydown = (event) => {
      const step = {
        ArrowRight: 1,
        ArrowDown: 1,
        ArrowLeft: -1,
        ArrowUp: -1,
        Home: -points.length,
        End: points.length,
      }[event.key];
      if (event.key === "Enter" || event.key === " ") openRun(point.__data__.datum.key);
      else if (step) points[Math.max(0, Math.min(points.length - 1, i + step))].focus();
      else return;
      event.preventDefault();
    };
  });
}

const LOG_SPREAD = 15;

/** Whether values spread so far that a logarithmic axis shows them better, as in the plots. */
function isWide(values) {
  const positive = values.filter((value) => value > 0);
  return positive.length > 1 && Math.min(...values) >= 0 && Math.max(...positive) / Math.min(...positive) > LOG_SPREAD;
}

/** Ticks of a logarithmic axis: decades, and between them where there are few. */
function logTicks(values) {
  const positive = values.filter((value) => value > 0);
  const [low, high] = [Math.min(...positive), Math.max(...positive)];
  const steps = high / low < 200 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    ticks.push(...steps.map((step) => Number(`${step}e${power}`)));
  }
  return ticks.filter((tick) => tick >= low / 2 && tick <= high * 2);
}

/** An axis of a metric, in printed units; `values` are what it must hold. */
function valueAxis(metric, log, values, title = true) {
  const words =
    metric.label + (metric.unit ? `, ${metric.unit}` : "") + { "-1": " ↓", 1: " ↑", 0: "" }[metric.direction];
  return {
    scale: log ? { type: "log", nice: false, padding: 10 } : { zero: metric.price, nice: true },
    axis: {
      title: title ? words : null,
      labelExpr: PLAIN,
      tickCount: 5,
      labelOverlap: "greedy",
      ...(log ? { values: logTicks(values) } : {}),
    },
  };
}

/** How arms look: fields of the data that are colours, shapes and dashes already. */
const LOOKS = {
  colour: { field: "colour", type: "nominal", scale: null, legend: null },
  shape: { field: "shape", type: "nominal", scale: null, legend: null },
  dash: { field: "dash", type: "nominal", scale: null, legend: null },
  tip: { field: "tip", type: "nominal" },
};

const lookOf = (arm) => ({
  arm: arm.name,
  reference: arm.reference,
  colour: colour(arm),
  shape: arm.shape,
  dash: arm.dash.length ? arm.dash : [1, 0],
});

/** The layers that have something to draw. */
const layersOf = (rows, layers) =>
  layers.filter(([kind]) => rows.some((row) => row.kind === kind)).map(([, layer]) => layer);

const position = (field, axis) => ({ field, type: "quantitative", ...axis });

/** Layers of points: means large, seeds small. */
function meanPoints(x, y) {
  return {
    transform: [{ filter: "datum.kind == 'mean'" }],
    mark: {
      type: "point",
      filled: true,
      size: 70,
      opacity: 1,
      stroke: "var(--ground)",
      strokeWidth: 0.8,
      cursor: "pointer",
    },
    encoding: { x, y, color: LOOKS.colour, shape: LOOKS.shape, tooltip: LOOKS.tip, description: LOOKS.tip },
  };
}

function seedPoints(x, y) {
  return {
    transform: [{ filter: "datum.kind == 'seed'" }],
    mark: { type: "point", filled: true, size: 22, opacity: 0.7, strokeWidth: 0, shape: "circle", cursor: "pointer" },
    encoding: { x, y, color: LOOKS.colour, tooltip: LOOKS.tip, description: LOOKS.tip },
  };
}

function lines(x, y) {
  return {
    transform: [{ filter: "datum.kind == 'mean' || datum.kind == 'rule'" }],
    mark: { type: "line", strokeWidth: 1.7, tooltip: null, aria: false },
    encoding: {
      x,
      y,
      color: LOOKS.colour,
      strokeDash: LOOKS.dash,
      detail: { field: "line" },
      order: { field: "order" },
    },
  };
}

function intervalRules(x, y) {
  return {
    transform: [{ filter: "datum.kind == 'mean' && isValid(datum.low)" }],
    mark: { type: "rule", strokeWidth: 1.6, opacity: 0.8, aria: false },
    encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: LOOKS.colour },
  };
}

// Elements, text and numbers. Whatever comes from records becomes a text node, never markup.

const byId = (id) => document.getElementById(id);

/** An element; `attributes` that are functions listen to the event of that name; strings among `children` become text. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return node;
}

/** Text in which what stands in backticks is code. */
function coded(text) {
  const pieces = String(text).split("`");
  if (pieces.length % 2 === 0) return [String(text)];
  return pieces.map((piece, i) => (i % 2 ? el("code", {}, piece) : piece));
}

/** A small drawing of an arm's marker and line. */
function swatch(arm) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 28 12", class: "swatch", "aria-hidden": "true" })) {
    svg.setAttribute(name, value);
  }
  const line = document.createElementNS(ns, "path");
  line.setAttribute("d", "M1,6H27");
  line.setAttribute("stroke", colour(arm));
  line.setAttribute("stroke-width", "1.8");
  if (arm.dash.length) line.setAttribute("stroke-dasharray", arm.dash.join(" "));
  const mark = document.createElementNS(ns, "path");
  mark.setAttribute("d", OUTLINES[arm.shape] || arm.shape);
  mark.setAttribute("transform", "translate(14,6) scale(4.4)");
  mark.setAttribute("fill", colour(arm));
  svg.append(line, mark);
  return svg;
}

const OUTLINES = {
  circle: "M-1,0a1,1 0 1,0 2,0a1,1 0 1,0 -2,0Z",
  square: "M-.85,-.85H.85V.85H-.85Z",
  "triangle-up": "M0,-1L1,.8H-1Z",
  "triangle-down": "M0,1L1,-.8H-1Z",
  "triangle-left": "M-1,0L.8,-1V1Z",
  "triangle-right": "M1,0L-.8,-1V1Z",
  diamond: "M0,-1.1L1.1,0L0,1.1L-1.1,0Z",
  cross: "M-.35,-1H.35V-.35H1V.35H.35V1H-.35V.35H-1V-.35H-.35Z",
};

/** The colour of an arm, which is another on a dark ground. */
const colour = (arm) => `var(--arm-${arm.index})`;

const FORMATS = new Map(); // one for each number of decimals: to make one costs more than to use it a hundred times

function formatOf(decimals) {
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  if (!FORMATS.has(decimals)) FORMATS.set(decimals, new Intl.NumberFormat("en-US", options));
  return FORMATS.get(decimals);
}

function number(value, decimals) {
  if (value == null) return "–";
  const found = Number(value);
  if (!Number.isFinite(found)) return found > 0 ? "∞" : "−∞";
  return formatOf(decimals).format(found).replace("-", "−");
}

/** A stored value of a metric as its column prints it. */
function shown(metric, value, more = 0) {
  return value == null ? "–" : number(Number(value) * metric.scale, metric.decimals + more);
}

const unit = (metric) => (metric.unit ? ` ${metric.unit}` : "");

const plural = (count, word) => `${number(count, 0)} ${word}${count === 1 ? "" : "s"}`;

/** A labelled `<select>`; options are [value, text] or {label, options}. */
function select(label, options, value, change) {
  const make = ([name, text]) => el("option", { value: name, selected: String(name) === String(value) }, text);
  const list = options.map((one) =>
    Array.isArray(one) ? make(one) : el("optgroup", { label: one.label }, one.options.map(make)),
  );
  return el(
    "label",
    { class: "field" },
    el("span", {}, label),
    el("select", { change: (event) => change(event.target.value) }, list),
  );
}

/** Two or three choices side by side, as radio buttons. */
function choice(label, name, options, value, change) {
  return el(
    "fieldset",
    { class: "field choice" },
    el("legend", {}, label),
    el(
      "div",
      {},
      options.map(([own, text]) =>
        el(
          "label",
          {},
          el("input", { type: "radio", name, value: own, checked: own === value, change: () => change(own) }),
          el("span", {}, text),
        ),
      ),
    ),
  );
}

function replace(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child != null && child !== false));
}

/** `replace` of a form's controls: the one that has the focus keeps it. */
function rebuild(form, ...children) {
  const controls = () => [...form.querySelectorAll("select, input")];
  const focused = controls().indexOf(document.activeElement);
  replace(form, ...children);
  if (focused >= 0) controls()[focused]?.focus();
}

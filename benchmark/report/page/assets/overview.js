// The first figure: distortion against entropy, usage and perplexity along the grid with their ceilings.

function drawOverview() {
  const shown = METRICS.get(DATA.headline);
  const panels = [];
  if (shown && METRICS.has("entropy_bits")) panels.push([`${shown.label} against entropy`, shown, "entropy_bits"]);
  else if (shown) panels.push([shown.label, shown, X.name]);
  for (const name of ["usage", "perplexity"]) {
    if (METRICS.has(name))
      panels.push([
        METRICS.get(name).label + (METRICS.get(name).unit ? `, ${METRICS.get(name).unit}` : ""),
        METRICS.get(name),
        X.name,
      ]);
  }
  const node = byId("overview").querySelector(".panels");
  if (node.children.length !== panels.length) {
    replace(
      node,
      panels.map(([title]) =>
        el("figure", { class: "panel" }, el("figcaption", {}, title), el("div", { class: "chart" })),
      ),
    );
  }
  panels.forEach(([, metric, x], i) => chart(node.children[i].querySelector(".chart"), metric, x, {}));
  if (!panels.length)
    replace(
      node,
      el("p", { class: "notice" }, "There is nothing to draw: no run that ended well measured a distortion or codes."),
    );
}

function drawFacts() {
  const planned = new Set(DATA.cells.map((cell) => cell[3]).filter((run) => run != null));
  const ended = [...planned].filter((run) => DATA.runs.status[run] === "ok").length;
  const absent = DATA.cells.filter((cell) => cell[3] == null && cell[4] == null).length;
  const bad = planned.size - ended;
  const older = DATA.runs.planned.filter((own) => !own).length;
  const parts = [plural(ARMS.length, "arm"), `${plural(ended, "run")} ended well`];
  if (bad) parts.push(`${bad} did not end well`);
  if (absent) parts.push(`${plural(absent, "run")} not there yet`);
  if (older) parts.push(`${plural(older, "run")} of another protocol, in no chart`);
  const tokens = [...new Set(DATA.tokens.filter((one) => one != null))];
  if (tokens.length === 1) parts.push(`N = ${number(tokens[0], 0)} test tokens`);
  if (DATA.protocol) parts.push(DATA.protocol);
  byId("facts").textContent = parts.join(" · ");
}

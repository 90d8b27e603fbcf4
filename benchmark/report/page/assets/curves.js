// A run's curves over training, and how often its codes are chosen.

const CURVES = {
  validation_error: "validation error",
  validation_nll: "validation NLL, nats a position",
  loss: "loss",
  usage: "usage of the probe set",
  perplexity: "perplexity of the probe set",
};

function curves(own) {
  const names = Object.keys(CURVES).filter((name) => own.curves?.[name]);
  if (!names.length && !own.ranks) return el("p", { class: "hint" }, "There are no curves of this run.");
  const panel = (name, title) =>
    el("figure", { class: "panel", "data-curve": name }, el("figcaption", {}, title), el("div", { class: "chart" }));
  return el(
    "div",
    {},
    el("h3", {}, own.ranks ? "Over training, and how the codes are used" : "Over training"),
    el(
      "div",
      { class: "panels" },
      names.map((name) => panel(name, CURVES[name])),
      own.ranks && panel("ranks", "rank–frequency of the codes"),
    ),
  );
}

function drawCurves(dialog, own) {
  const line = { strokeWidth: 1.8, stroke: "var(--accent)" };
  for (const panel of dialog.querySelectorAll("[data-curve]")) {
    const name = panel.dataset.curve;
    const node = panel.querySelector(".chart");
    if (name === "ranks") {
      const values = own.ranks[0].map((rank, i) => ({ rank, frequency: own.ranks[1][i] }));
      const log = (field, title) => ({
        field,
        type: "quantitative",
        scale: { type: "log", nice: false },
        axis: { title, labelExpr: PLAIN, labelOverlap: "greedy", values: logTicks(values.map((row) => row[field])) },
      });
      draw(
        node,
        {
          data: { values },
          layer: [
            {
              data: { values: [{ even: 1 }] },
              mark: { type: "rule", stroke: "var(--soft)", strokeDash: [2, 3] },
              encoding: { y: { field: "even", type: "quantitative" } },
            },
            {
              mark: { type: "line", ...line },
              encoding: { x: log("rank", "rank ÷ codebook size"), y: log("frequency", "frequency × codebook size") },
            },
          ],
        },
        "How often each code is chosen, the most frequent first; dotted: a uniform source",
      );
      continue;
    }
    const scale = name === "usage" ? 100 : 1;
    const values = own.curves.step
      .map((step, i) => ({ step, value: own.curves[name][i] }))
      .filter((row) => row.value != null && Number.isFinite(Number(row.value)))
      .map((row) => ({ step: row.step, value: Number(row.value) * scale }));
    const log = name !== "usage" && isWide(values.map((row) => row.value)) && values.every((row) => row.value > 0);
    draw(
      node,
      {
        data: { values },
        mark: { type: "line", ...line },
        encoding: {
          x: {
            field: "step",
            type: "quantitative",
            axis: { title: "step", labelOverlap: "greedy", tickCount: 5, grid: false },
          },
          y: {
            field: "value",
            type: "quantitative",
            scale: log ? { type: "log", nice: false, padding: 8 } : { zero: name === "usage" },
            axis: {
              title: name === "usage" ? "%" : null,
              labelExpr: PLAIN,
              labelOverlap: "greedy",
              tickCount: 5,
              ...(log ? { values: logTicks(values.map((row) => row.value)) } : {}),
            },
          },
        },
      },
      `${CURVES[name]} over training`,
    );
  }
}

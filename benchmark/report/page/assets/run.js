// One run: what it measured, how it was made, its curves, codes and samples, and the command that makes it again.

const CURVES = ["validation_error", "loss", "usage", "perplexity"];
let opener = null;

function openRun(key) {
  opener = document.activeElement;
  quiet();
  choose({ run: key });
}

function drawRun() {
  const dialog = byId("run");
  const run = DATA.runs.key.indexOf(state.run);
  if (run < 0) {
    if (dialog.open) dialog.close();
    return;
  }
  const key = state.run;
  const own = DATA.details[key];
  const arm = ARMS[DATA.runs.arm[run]];
  const close = el("button", { type: "button", class: "close", click: () => dialog.close() }, "Close");
  replace(
    dialog,
    el("header", {}, el("h2", { id: "h-run" }, key), close),
    el(
      "div",
      { class: "run" },
      el(
        "p",
        {},
        arm ? armNode(arm) : DATA.runs.named[run],
        ` · seed ${DATA.runs.seed[run] ?? "–"} · ended: `,
        el("strong", {}, DATA.runs.status[run]),
        DATA.runs.planned[run] ? "" : " · made under another protocol, in no chart or table",
      ),
      DATA.runs.reason[run] && el("p", { class: "notice" }, DATA.runs.reason[run]),
      again(key),
      measured(run),
      own ? curves(own) : el("p", { class: "hint" }, DATA.left_out.join(" ")),
      samplesOf(key, own),
      own?.traceback && el("details", {}, el("summary", {}, "Traceback"), el("pre", { tabindex: "0" }, own.traceback)),
      ["config", "provenance", "details", "timings", "memory"].map((name) => settings(name, own)),
    ),
  );
  if (!dialog.open) dialog.showModal();
  drawCurves(dialog, own);
}

/** The command that makes the run again, to be copied. */
function again(key) {
  const command = `make verify ${DATA.verify}${key}`;
  const copied = el("span", { role: "status" });
  const copy = () =>
    navigator.clipboard.writeText(command).then(
      () => {
        copied.textContent = "copied";
      },
      () => {
        copied.textContent = "select and copy it";
      },
    );
  return el(
    "div",
    { class: "again" },
    el("span", {}, "Make it again:"),
    el("code", { tabindex: "0" }, command),
    el("button", { type: "button", class: "small", click: copy }, "Copy"),
    copied,
  );
}

function measured(run) {
  const found = DATA.metrics.filter((metric) => DATA.values[metric.name][run] != null);
  if (!found.length) return el("p", { class: "hint" }, "Nothing was measured.");
  return el(
    "div",
    {},
    el("h3", {}, "Measured"),
    el(
      "dl",
      { class: "values" },
      found.map((metric) =>
        el(
          "div",
          {},
          el("dt", { title: metric.description }, metric.label),
          el("dd", { "data-metric": metric.name }, shown(metric, DATA.values[metric.name][run]) + unit(metric)),
        ),
      ),
    ),
  );
}

function curves(own) {
  const names = CURVES.filter((name) => own.curves?.[name]);
  if (!names.length && !own.ranks) return el("p", { class: "hint" }, "There are no curves of this run.");
  const panel = (name, title) =>
    el("figure", { class: "panel", "data-curve": name }, el("figcaption", {}, title), el("div", { class: "chart" }));
  return el(
    "div",
    {},
    el("h3", {}, "Over training, and how the codes are used"),
    el(
      "div",
      { class: "panels" },
      names.map((name) =>
        panel(name, `${name.replace("_", " ")}${["usage", "perplexity"].includes(name) ? " of the probe set" : ""}`),
      ),
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
    const log = isWide(values.map((row) => row.value)) && values.every((row) => row.value > 0);
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
            scale: log ? { type: "log", nice: false, padding: 8 } : { zero: false },
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
      `${name} over training`,
    );
  }
}

function samplesOf(key, own) {
  const found = DATA.samples[key];
  if (!found)
    return el(
      "p",
      { class: "hint" },
      own?.thinned?.length
        ? "Its samples were thinned: removed from the results, as its record says."
        : "There are no samples of this run on this page.",
    );
  const pictures =
    found.picture &&
    (found.sounds.length
      ? [
          el("p", {}, "Spectra: originals above, reconstructions below"),
          el("img", { src: DATA.media[found.picture], alt: "Spectra of originals and reconstructions" }),
        ]
      : [
          el("p", {}, "Originals"),
          strip(DATA.media[found.picture], false, "Originals"),
          el("p", {}, "Reconstructions"),
          strip(DATA.media[found.picture], true, "Reconstructions"),
        ]);
  return el(
    "div",
    {},
    el("h3", {}, "Samples"),
    pictures,
    found.sounds.map(([clip, original, made]) =>
      el(
        "div",
        { class: "clips" },
        el("h4", {}, `Clip ${clip}`),
        player("original", original),
        player("reconstruction", made),
      ),
    ),
  );
}

function settings(name, own) {
  const all = { ...DATA.details[""][name], ...own?.[name] };
  const entries = Object.entries(all);
  if (!entries.length) return null;
  const title = {
    config: "Configuration",
    provenance: "Provenance",
    details: "How it was measured",
    timings: "Timings",
    memory: "Memory",
  }[name];
  return el(
    "details",
    { open: name === "config" },
    el("summary", {}, title),
    el(
      "dl",
      { class: "settings" },
      entries.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value))),
    ),
  );
}

byId("run").addEventListener("close", () => {
  choose({ run: "" });
  if (opener?.isConnected) opener.focus();
  opener = null;
});

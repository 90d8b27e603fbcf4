// One run: what it measured, how it was made, its curves, codes and samples, and the command that makes it again.

let opener = null;

function openRun(key) {
  opener = document.activeElement;
  quiet();
  choose({ run: key });
}

/** What is known of a run, a tokenizer's or a prior's; null where there is none of that key. */
function factsOf(key) {
  const run = DATA.runs.key.indexOf(key);
  if (run >= 0) {
    const place = DATA.cells.find((cell) => cell[3] === run)?.[1];
    return {
      ...rowOf(DATA.runs, run),
      of: [DATA.titles[place], `seed ${DATA.runs.seed[run] ?? "–"}`].filter(Boolean).join(" · "),
      note: DATA.runs.planned[run] ? "" : " · made under another protocol, in no chart or table",
      measured: measured(DATA.metrics, DATA.values, run),
      details: DATA.details,
    };
  }
  const prior = GENERATION?.runs.key.indexOf(key) ?? -1;
  if (prior < 0) return null;
  const { runs } = GENERATION;
  const row = rowOf(runs, prior);
  return {
    ...row,
    of: [DATA.titles[row.place], `prior ${runs.prior_seed[prior]} on the tokenizer of seed ${runs.seed[prior]}`]
      .filter(Boolean)
      .join(" · "),
    note: DATA.runs.key.includes(row.tokenizer) ? [" · ", runButton(row.tokenizer, "its tokenizer")] : "",
    measured: measured(GENERATION.metrics, GENERATION.values, prior),
    details: DATA.prior_details,
  };
}

/** One run of lists a column. */
const rowOf = (columns, run) =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[run] ?? null]));

function drawRun() {
  const dialog = byId("run");
  const key = state.run;
  const facts = factsOf(key);
  if (!facts) {
    if (dialog.open) dialog.close();
    return;
  }
  const own = facts.details[key];
  const arm = ARMS[facts.arm];
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
        arm ? armNode(arm) : facts.named,
        ` · ${facts.of} · ended: `,
        el("strong", {}, facts.status),
        facts.note,
      ),
      facts.reason && el("p", { class: "notice" }, facts.reason),
      again(key, facts),
      facts.measured,
      own ? curves(own) : el("p", { class: "hint" }, DATA.left_out.join(" ")),
      samplesOf(key, own),
      own?.traceback && el("details", {}, el("summary", {}, "Traceback"), el("pre", { tabindex: "0" }, own.traceback)),
      SETTINGS.map(([name, title]) => settings(title, { ...facts.details[""]?.[name], ...own?.[name] }, name)),
    ),
  );
  if (!dialog.open) dialog.showModal();
  drawCurves(dialog, own);
}

const SETTINGS = [
  ["config", "Configuration"],
  ["provenance", "Provenance"],
  ["details", "How it was measured"],
  ["timings", "Timings"],
  ["memory", "Memory"],
];

/** The command that makes the run again, to be copied. */
function again(key, { refused }) {
  const command = refused ? DATA.again.bench : `make verify ${DATA.again.verify}${key}`;
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
    el("span", {}, refused ? `${refused}; with its suite:` : "Make it again:"),
    el("code", { tabindex: "0" }, command),
    el("button", { type: "button", class: "small", click: copy }, "Copy"),
    copied,
  );
}

function measured(metrics, values, run) {
  const found = metrics.filter((metric) => values[metric.name][run] != null);
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
          el("dd", { "data-metric": metric.name }, shown(metric, values[metric.name][run]) + unit(metric)),
        ),
      ),
    ),
  );
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
    found.generated && [
      el("p", {}, "The first samples of the prior, not chosen"),
      el("div", { class: "sheetrow" }, el("figure", {}, generatedImage(found.generated, key))),
    ],
    found.nearest && [
      el("p", {}, "Samples above, and below each the training image nearest to it"),
      el("img", { class: "pixels", src: DATA.media[found.nearest], alt: "Samples above their nearest training images" }),
    ],
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

function settings(title, all, name) {
  const entries = Object.entries(all);
  if (!entries.length) return null;
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

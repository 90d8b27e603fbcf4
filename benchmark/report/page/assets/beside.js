// Samples side by side: pictures under a slider, sounds as players; and published figures beside ours.

/** A half of a picture of samples, which has the originals above and the reconstructions below, as a canvas. */
function strip(address, lower, label) {
  const canvas = el("canvas", { role: "img", "aria-label": label });
  const picture = new Image();
  picture.onload = () => {
    const height = Math.floor(picture.naturalHeight / 2);
    canvas.width = picture.naturalWidth;
    canvas.height = height;
    canvas.getContext("2d").drawImage(picture, 0, lower ? height : 0, canvas.width, height, 0, 0, canvas.width, height);
  };
  picture.src = address;
  return canvas;
}

/** The last place, and the lowest seed there, at which both arms have samples; of one without a size any place. */
function sampled(a, b) {
  for (let place = DATA.places.length - 1; place >= 0; place--) {
    const others = new Map(runsAt(b.index, place).map(({ run, seed }) => [seed, DATA.runs.key[run]]));
    for (const { run, seed } of runsAt(a.index, place)) {
      const keys = [DATA.runs.key[run], others.get(seed)];
      if (keys.every((key) => DATA.samples[key])) return { place, seed, keys };
    }
  }
  return null;
}

function drawSamples(node, a, b) {
  const found = a === b ? null : sampled(a, b);
  const title = el("h3", {}, "Samples");
  if (!found) {
    const thinned = Object.values(DATA.details).some((own) => own.thinned?.length);
    replace(
      node,
      title,
      el(
        "p",
        { class: "hint" },
        "There are no samples of both arms at one place and seed. " +
          (thinned
            ? "This suite's samples were thinned: they stay only of each arm's lowest seed at the largest size. "
            : "") +
          DATA.left_out.join(" "),
      ),
    );
    return;
  }
  const [one, other] = found.keys.map((key) => DATA.samples[key]);
  const where = `${DATA.titles[found.place]}, seed ${found.seed}`;
  const less = DATA.left_out.filter((sentence) => sentence.includes("samples"));
  const parts = [title, el("p", { class: "hint" }, `At ${where}. ${less.join(" ")}`)];
  if (one.picture && other.picture && !one.sounds.length) parts.push(wipe(one.picture, other.picture, a, b));
  const clips = one.sounds.filter(([clip]) => other.sounds.some(([theirs]) => theirs === clip));
  parts.push(
    ...clips.map(([clip, original, mine]) =>
      el(
        "div",
        { class: "clips" },
        el("h4", {}, `Clip ${clip}`),
        player("original", original),
        player(a.name, mine),
        player(b.name, other.sounds.find(([theirs]) => theirs === clip)[2]),
      ),
    ),
  );
  replace(node, parts);
}

function player(label, id) {
  return el(
    "figure",
    { class: "sound" },
    el("figcaption", {}, label),
    el("audio", { controls: true, preload: "none", src: DATA.media[id], "aria-label": label }),
  );
}

/** The originals, and below them one arm's reconstructions drawn over the other's as far as a slider says. */
function wipe(mine, theirs, a, b) {
  const over = strip(DATA.media[mine], true, `Reconstructions of ${a.name}`);
  over.classList.add("over");
  const at = (value) => {
    over.style.clipPath = `inset(0 ${100 - value}% 0 0)`;
  };
  at(50);
  const slider = el("input", {
    type: "range",
    min: "0",
    max: "100",
    value: "50",
    "aria-label": `Share of the pictures that shows ${a.name} over ${b.name}`,
    input: (event) => at(Number(event.target.value)),
  });
  return el(
    "div",
    { class: "wipe" },
    el("p", {}, "Originals"),
    strip(DATA.media[mine], false, "Originals"),
    el("p", { class: "ends" }, armNode(a), armNode(b)),
    el("div", { class: "stack" }, strip(DATA.media[theirs], true, `Reconstructions of ${b.name}`), over),
    slider,
  );
}

function drawPublished() {
  const section = byId("published");
  section.hidden = !DATA.published.length;
  if (section.hidden) return;
  replace(
    section.querySelector(".rows"),
    DATA.published.map((published) => {
      const panels = [...new Set(published.rows.map((row) => row[2]))].filter((name) => METRICS.has(name)).slice(0, 4);
      const charts = panels.map((name) =>
        el(
          "figure",
          { class: "panel" },
          el("figcaption", {}, [METRICS.get(name).heading, standing(X)].filter(Boolean).join(" · ")),
          el("div", { class: "chart" }),
        ),
      );
      const rows = el("div", { class: "rows" });
      publishedTable(rows, published);
      const node = el(
        "div",
        {},
        el("h3", {}, published.title),
        el(
          "p",
          { class: "hint" },
          `Published: ${published.paper}. A ring is a published figure. ${published.footnote ?? ""}`,
        ),
        el("div", { class: "panels" }, charts),
        rows,
      );
      setTimeout(
        () =>
          panels.forEach((name, i) => publishedChart(charts[i].querySelector(".chart"), published, METRICS.get(name))),
        0,
      );
      return node;
    }),
  );
}

function publishedChart(node, published, metric) {
  const along = X.numeric && X.values.length > 1;
  const shownPlaces = new Set(chosenPlaces(along ? X : null));
  const rings = published.rows
    .filter(([place, arm, name]) => name === metric.name && shownPlaces.has(place) && isShown(ARMS[arm]))
    .map(([place, arm, , value, apart, , source]) => {
      const at = along
        ? { x: coordinate(place, X), y: value * metric.scale }
        : { x: value * metric.scale, at: ARMS[arm].name };
      return {
        ...lookOf(ARMS[arm]),
        ...at,
        kind: "ring",
        tip: `${ARMS[arm].name} · ${DATA.titles[place]}\npublished ${shown(metric, value)}${unit(metric)}; ours ${apart ?? "missing"}\n${source}`,
      };
    });
  chart(node, metric, X.name, { rings });
}

function publishedTable(node, published) {
  const metricOf = (row) => METRICS.get(row[2]);
  const ours = (row) => metricOf(row) && intervalOf(metricOf(row), row[1], row[0]);
  table(node, {
    caption: published.title,
    rows: published.rows,
    columns: [
      { label: "Arm", value: (row) => ARMS[row[1]].name, node: (row) => armNode(ARMS[row[1]]) },
      { label: "Where", value: (row) => row[0], text: (row) => DATA.titles[row[0]], numeric: true, left: true },
      { label: "Metric", value: (row) => metricOf(row)?.label ?? row[2] },
      {
        label: "Ours",
        numeric: true,
        value: (row) => ours(row)?.mean ?? null,
        text: (row) =>
          ours(row)
            ? shown(metricOf(row), ours(row).mean) +
              (ours(row).half == null ? "" : ` ± ${shown(metricOf(row), ours(row).half)}`)
            : "–",
      },
      {
        label: "Published",
        numeric: true,
        value: (row) => row[3],
        text: (row) => (metricOf(row) ? shown(metricOf(row), row[3]) : String(row[3])),
      },
      { label: "Difference", value: (row) => row[4], text: (row) => (row[4] ?? "–") + (row[5] ? " *" : "") },
      { label: "Source", value: (row) => row[6] },
    ],
  });
}

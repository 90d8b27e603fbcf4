// The first figure: distortion against entropy, usage and perplexity along the grid with their ceilings.

function drawOverview() {
  const shown = METRICS.get(DATA.headline);
  const panels = [];
  if (shown && METRICS.has("entropy_bits")) panels.push([`${shown.heading} against entropy`, shown, "entropy_bits"]);
  else if (shown) panels.push([shown.heading, shown, X.name]);
  for (const name of ["usage", "perplexity"]) {
    if (METRICS.has(name)) panels.push([METRICS.get(name).heading, METRICS.get(name), X.name]);
  }
  const node = byId("overview").querySelector(".panels");
  if (node.children.length !== panels.length) {
    replace(
      node,
      panels.map(() => el("figure", { class: "panel" }, el("figcaption"), el("div", { class: "chart" }))),
    );
  }
  const where = standing(X);
  panels.forEach(([title, metric, x], i) => {
    node.children[i].querySelector("figcaption").textContent = where ? `${title} · ${where}` : title;
    chart(node.children[i].querySelector(".chart"), metric, x, {});
  });
  if (!panels.length)
    replace(
      node,
      el("p", { class: "notice" }, "There is nothing to draw: no run that ended well measured a distortion or codes."),
    );
}

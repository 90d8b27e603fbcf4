// Puts the page together once the library is there.

function drawNotes() {
  const entries = [...DATA.left_out, ...DATA.problems, ...DATA.notes];
  replace(
    byId("notes").querySelector("ul"),
    entries.map((entry) => el("li", {}, coded(entry))),
  );
}

function drawTheme() {
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  else delete document.documentElement.dataset.theme;
  replace(
    byId("theme"),
    select(
      "Colours",
      [
        ["", "as the system"],
        ["light", "light"],
        ["dark", "dark"],
      ],
      state.theme,
      (theme) => choose({ theme }),
    ),
  );
}

function start() {
  readFragment();
  drawNotes();
  whenever(["theme"], drawTheme);
  drawChooser();
  whenever(["hide", "sizes"], refreshChooser);
  whenever(["hide", "sizes", "fixed"], drawOverview);
  whenever(["metric", "x", "scale", "show", "fixed", "hide"], drawControls);
  whenever(["hide", "sizes", "metric", "x", "scale", "show", "fixed"], drawExplore);
  whenever(["a", "b", "judged", "at"], drawCompare);
  whenever(["hide", "sizes", "fixed"], drawPublished);
  whenever(["hide", "sizes", "fixed"], drawGeneration);
  whenever(["hide", "sizes", "cost", "costed", "fixed"], drawPrice);
  whenever([], drawRuns);
  whenever(["run"], drawRun);
  for (const form of document.querySelectorAll("form"))
    form.addEventListener("submit", (event) => event.preventDefault());
  show();
  document.documentElement.dataset.ready = "";
}

// Not before the answer is painted.
requestAnimationFrame(() => setTimeout(start, 0));

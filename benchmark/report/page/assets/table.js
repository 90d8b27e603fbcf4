// A table that is sorted by its headings and filtered by a field, all by keyboard.

const MOST_ROWS = 100;
const isRight = (column) => column.numeric && !column.left;

/**
 * `columns`: {label, value(row), text(row), numeric, left, node(row)}; the first is the row's heading. Numbers stand to
 * the right but where `left` says otherwise.
 * What is typed must stand in a row as it is shown.
 */
function table(node, { caption, columns, rows }) {
  node.own ??= { column: null, up: true, filter: "", most: MOST_ROWS }; // which stay when other rows are shown
  const { own } = node;
  const text = (column, row) => (column.text ?? column.value)(row) ?? "–";
  const count = el("span", { class: "count", role: "status" });
  const body = el("tbody");
  const heads = columns.map((column, i) =>
    el(
      "th",
      { scope: "col", class: isRight(column) && "number" },
      el(
        "button",
        { type: "button", click: () => sortBy(i) },
        column.label.replace(/ (?=(?:[↑↓]|\S{1,2})(?: |$))/g, "\u00a0"), // arrows and short units stay with their words
        el("span", { class: "arrow", "aria-hidden": "true" }),
      ),
    ),
  );
  const more = el(
    "button",
    {
      type: "button",
      class: "more",
      click: () => {
        own.most *= 10;
        fill();
      },
    },
    "Show more rows",
  );
  const field = el("input", {
    type: "search",
    value: own.filter,
    input: (event) => {
      own.filter = event.target.value;
      fill();
    },
  });

  function sortBy(i) {
    own.up = own.column === i ? !own.up : !columns[i].numeric;
    own.column = i;
    fill();
  }

  function found() {
    const words = own.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = rows.filter((row) => {
      const line = words.length
        ? columns
            .map((column) => text(column, row))
            .join(" ")
            .toLowerCase()
        : "";
      return words.every((word) => line.includes(word));
    });
    if (own.column === null) return kept;
    const { value, numeric } = columns[own.column];
    const sign = own.up ? 1 : -1;
    return kept.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a == null || b == null) return (a == null) - (b == null); // what is missing comes last either way
      return sign * (numeric ? Number(a) - Number(b) : String(a).localeCompare(String(b), "en", { numeric: true }));
    });
  }

  function fill() {
    const kept = found();
    heads.forEach((head, i) => {
      if (own.column === i) head.setAttribute("aria-sort", own.up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    replace(
      body,
      kept.slice(0, own.most).map((row) =>
        el(
          "tr",
          {},
          columns.map((column, i) =>
            el(
              i ? "td" : "th",
              { scope: i ? null : "row", class: isRight(column) && "number" },
              column.node ? column.node(row) : coded(text(column, row)),
            ),
          ),
        ),
      ),
    );
    more.hidden = kept.length <= own.most;
    count.textContent =
      kept.length === rows.length ? plural(rows.length, "row") : `${kept.length} of ${plural(rows.length, "row")}`;
  }

  fill();
  replace(
    node,
    el("div", { class: "filter" }, el("label", { class: "field" }, el("span", {}, "Filter"), field), count),
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      el("table", {}, el("caption", { class: "hidden" }, caption), el("thead", {}, el("tr", {}, heads)), body),
    ),
    more,
  );
}

/** A button that looks like a link and opens a run. */
const runButton = (key, text) => el("button", { type: "button", class: "link", click: () => openRun(key) }, text);

/** An arm's name beside its marker. */
const armNode = (arm) => el("span", { class: "arm" }, swatch(arm), arm.name, arm.marks && el("sup", {}, arm.marks));

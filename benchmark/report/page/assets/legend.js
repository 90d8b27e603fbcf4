// Which arms, by families of methods, and codebook sizes are shown: the legend of all charts at once.

const REFERENCES = "references";
const familyOf = (arm) => (arm.reference ? REFERENCES : arm.family);

/** Families of methods that the suite has, in the order of the plots, each with its arms. */
const FAMILIES = new Map(
  [...DATA.families, REFERENCES]
    .map((name) => [name, ARMS.filter((arm) => familyOf(arm) === name)])
    .filter(([, arms]) => arms.length),
);

function drawChooser() {
  const items = FAMILIES.size > 1 ? [...FAMILIES].map(([name, arms]) => family(name, arms)) : ARMS.map(armBox);
  const all = el("button", { type: "button", class: "small", click: () => choose({ hide: new Set() }) }, "All");
  const none = el(
    "button",
    { type: "button", class: "small", click: () => choose({ hide: new Set(ARMS.map((arm) => arm.name)) }) },
    "None",
  );
  const arms = el(
    "fieldset",
    { class: "arms" },
    el("legend", {}, "Arms"),
    el("div", { class: "all" }, all, none),
    items,
  );
  const sizes =
    SIZES.length > 1 &&
    el("fieldset", { class: "sizes" }, el("legend", {}, "Codebook sizes"), el("div", {}, SIZES.map(sizeBox)));
  const open = matchMedia("(min-width: 60rem)").matches;
  replace(byId("chooser"), el("details", { open }, el("summary", {}, "Legend, and what is shown"), arms, sizes));
}

function toggle(set, names, on) {
  const next = new Set(set);
  for (const name of names) on ? next.delete(name) : next.add(name);
  return next;
}

function armBox(arm) {
  const change = (event) => choose({ hide: toggle(state.hide, [arm.name], event.target.checked) });
  return el(
    "label",
    { class: "box" },
    el("input", { type: "checkbox", "data-arm": arm.name, checked: isShown(arm), change }),
    armNode(arm),
  );
}

/** All arms, those of one family alone, or, where boxes chose otherwise, that. */
function familySelect() {
  const hidden = ARMS.filter((arm) => !isShown(arm));
  const isOnly = ([, arms]) => arms.every(isShown) && hidden.length === ARMS.length - arms.length;
  const only = hidden.length ? ([...FAMILIES].find(isOnly)?.[0] ?? null) : "";
  const options = [["", "all"], ...[...FAMILIES.keys()].map((name) => [name, name])];
  if (only === null) options.push(["as chosen", "as chosen"]);
  return select("Family of methods", options, only ?? "as chosen", (name) => {
    const kept = FAMILIES.get(name) ?? ARMS;
    if (name !== "as chosen") choose({ hide: new Set(ARMS.filter((arm) => !kept.includes(arm)).map((arm) => arm.name)) });
  });
}

function family(name, arms) {
  const change = (event) =>
    choose({
      hide: toggle(
        state.hide,
        arms.map((arm) => arm.name),
        event.target.checked,
      ),
    });
  const box = () => el("input", { type: "checkbox", "data-family": name, checked: arms.some(isShown), change });
  const head = arms.length > 1 ? el("label", { class: "box head" }, box(), el("span", {}, name)) : null;
  return el("div", { class: "family" }, head ?? el("p", { class: "head" }, name), arms.map(armBox));
}

function sizeBox(size) {
  const change = (event) => choose({ sizes: toggle(state.sizes, [String(size)], event.target.checked) });
  const checked = !state.sizes.has(String(size));
  return el(
    "label",
    { class: "box" },
    el("input", { type: "checkbox", "data-size": size, checked, change }),
    number(size, 0),
  );
}

/** The boxes say what is chosen, also when that came from the address or from another box. */
function refreshChooser() {
  for (const box of byId("chooser").querySelectorAll("input")) {
    const { arm, family: name, size } = box.dataset;
    if (arm != null) box.checked = !state.hide.has(arm);
    else if (size != null) box.checked = !state.sizes.has(size);
    else {
      const arms = FAMILIES.get(name);
      box.checked = arms.some(isShown);
      box.indeterminate = box.checked && !arms.every(isShown);
    }
  }
}

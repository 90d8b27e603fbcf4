// Which arms and codebook sizes are shown: the legend of all charts at once.

function drawChooser() {
  const families = new Map();
  for (const arm of ARMS) {
    const name = arm.reference ? "references" : arm.method;
    if (!families.has(name)) families.set(name, []);
    families.get(name).push(arm);
  }
  const grouped = [...families.values()].some((arms) => arms.length > 1);
  const items = [...families].map(([name, arms]) =>
    arms.length > 1 && grouped ? family(name, arms) : arms.map(armBox),
  );
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
  replace(byId("chooser"), el("details", { open }, el("summary", {}, "Arms and sizes"), arms, sizes));
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

function family(name, arms) {
  const change = (event) =>
    choose({
      hide: toggle(
        state.hide,
        arms.map((arm) => arm.name),
        event.target.checked,
      ),
    });
  const box = el("input", { type: "checkbox", "data-family": name, checked: arms.some(isShown), change });
  return el(
    "div",
    { class: "family" },
    el("label", { class: "box head" }, box, el("span", {}, name)),
    arms.map(armBox),
  );
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
      const arms = ARMS.filter((one) => (one.reference ? "references" : one.method) === name);
      box.checked = arms.some(isShown);
      box.indeterminate = box.checked && !arms.every(isShown);
    }
  }
}

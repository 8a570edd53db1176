/* The selects, the buttons and the dialogs. */
"use strict";

(() => {
  const { element, views, words } = sphercast;
  const by = (id) => document.getElementById(id);
  const PROBABILITIES = 5;

  function options(select, entries, chosen) {
    select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
    select.value = String(chosen);
  }

  function group(label, entries) {
    return element("optgroup", { label }, ...entries.map(([value, text]) => element("option", { value }, text)));
  }

  function levels() {
    const { state, meta } = sphercast, known = meta.variables[state.variable].levels;
    const flat = known[0] === null;
    options(by("level"), flat ? [[0, "surface"]] : known.map((own, i) => [i, `${own} hPa`]), state.level);
    by("level").disabled = flat;
  }

  /** What can be made of the members; thresholds are known once the colours are. */
  function products(scale) {
    const { state, meta } = sphercast, unit = meta.variables[state.variable].units, select = by("product");
    const parts = [group(meta.products.length > 1 ? "Ensemble" : "Forecast", meta.products.map((own) => [own.id, own.label]))];
    if (meta.products.length > 1 && scale && scale.thresholds.length) {
      parts.push(group("Probability", scale.thresholds.map((own, i) => [`p${i}`, `Probability ≥ ${own.label} ${unit}`])));
    }
    if (meta.members.length) parts.push(group("Members", meta.members.map((own) => [own.id, `Member ${own.name}`])));
    select.replaceChildren(...parts);
    select.value = state.product;
  }

  function sources() {
    const shown = Object.values(sphercast.meta.sides).filter((side) => side.about).map((side) => {
      const rows = side.about.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
      return element("section", {}, element("h3", {}, side.name),
        rows.length ? element("dl", {}, ...rows) : element("p", {}, "The file says nothing about itself."));
    });
    by("sources").replaceChildren(...shown);
  }

  async function copyLink() {
    const button = by("copy"), said = button.textContent;
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copy it from the address bar";
    }
    setTimeout(() => { button.textContent = said; }, 2500);
  }

  function listen() {
    const number = (id, key) => by(id).addEventListener("change", () => sphercast.set({ [key]: Number(by(id).value) }));
    const text = (id, key) => by(id).addEventListener("change", () => sphercast.set({ [key]: by(id).value }));
    number("variable", "variable");
    number("level", "level");
    text("product", "product");
    text("compare", "compare");
    by("projection").addEventListener("change", () => sphercast.set({ projection: by("projection").value, ...sphercast.home() }));
    by("controls").addEventListener("submit", (event) => event.preventDefault());
    by("copy").addEventListener("click", copyLink);
    for (const id of ["help", "about"]) by(`${id}-open`).addEventListener("click", () => by(id).showModal());
  }

  sphercast.startControls = () => {
    const { meta, state } = sphercast, { a, b } = meta.sides;
    options(by("variable"), meta.variables.map((own, i) => [i, words.capital(own.title)]), state.variable);
    options(by("projection"), Object.entries(views.VIEWS).map(([id, own]) => [id, own.title]), state.projection);
    by("compare-label").hidden = !b;
    if (b) {
      const other = b.kind === "analysis" ? "analysis" : b.name;
      options(by("compare"), [["ab", "Side by side"], ["d", `Difference from ${other}`], ["a", a.name], ["b", other]], state.compare);
    }
    by("file").textContent = b ? `${a.name} and ${b.name}` : a.name;
    document.title = `${a.name} – sphercast`;
    sources();
    listen();
    sphercast.fitControls();
  };

  /** Make the controls say what is shown. */
  sphercast.fitControls = (scale) => {
    const { state } = sphercast;
    for (const id of ["variable", "projection", "compare"]) by(id).value = String(state[id]);
    levels();
    products(scale);
  };

  sphercast.probabilityLabel = (scale, product) => {
    const place = Number(product.slice(1));
    return place < PROBABILITIES && scale.thresholds[place] ? `≥ ${scale.thresholds[place].label}` : null;
  };
})();

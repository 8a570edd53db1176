/* Puts it together: which maps are shown, what they need, and what is said when it does not come. */
"use strict";

(() => {
  const { views, words } = sphercast;
  const by = (id) => document.getElementById(id);
  const panels = {};
  let scale = null, turn = 0, done = Promise.resolve(), pointed = null;

  sphercast.drawn = () => done;

  sphercast.say = (message) => {
    by("notice").textContent = message ?? "";
    by("notice").hidden = !message;
  };

  /** Sides of the comparison that is shown: letters of `meta.sides`. */
  const sides = () => [...sphercast.state.compare];

  /** What a side shows of the product: a single forecast or an analysis has only itself. */
  function productOf(side) {
    const { state, meta } = sphercast, own = meta.sides[side];
    if (side === "d" || own.members === 1) return "mean";
    return /^m\d/.test(state.product) && Number(state.product.slice(1)) >= own.members ? "mean" : state.product;
  }

  function scaleName(side, product) {
    if (side === "d") return "difference";
    if (/^p\d/.test(product)) return "probability";
    return product === "spread" ? "spread" : "field";
  }

  function subject(side) {
    const { meta } = sphercast, { a, b } = meta.sides;
    if (side === "d") return `${a.members > 1 ? "ensemble mean" : "forecast"} minus ${b.kind === "analysis" ? "the analysis" : b.name}`;
    const product = productOf(side);
    if (meta.sides[side].kind === "analysis") return "analysis";
    if (meta.sides[side].members === 1) return "single forecast";
    if (/^m\d/.test(product)) return `member ${meta.sides[side].names[Number(product.slice(1))]}`;
    return meta.products.find((own) => own.id === product)?.label.replace(/^E/, "e");
  }

  function titleOf(side) {
    const { state, meta } = sphercast, variable = meta.variables[state.variable];
    const quantity = words.quantity(variable, variable.levels[state.level]), product = productOf(side);
    const above = scaleName(side, product) === "probability" && sphercast.probabilityLabel(scale, product);
    return above ? `Probability of ${quantity} ${above} ${variable.units}` : words.capital(`${quantity}: ${subject(side).toLowerCase()}`);
  }

  function timesOf(side, piece) {
    const { meta, state } = sphercast, valid = meta.leads[state.lead].valid;
    if (meta.sides[side].kind === "analysis") return `Valid ${valid} · ${meta.sides[side].name}`;
    const many = side === "d" ? "" : ` · ${words.members(piece)}`, named = meta.sides.b && side !== "d" ? ` · ${meta.sides[side].name}` : "";
    return `Init ${piece.initial} · Valid ${valid} · ${words.hours(piece.hours)}${many}${named}`;
  }

  function unitsOf(side, product) {
    const variable = sphercast.meta.variables[sphercast.state.variable], name = scaleName(side, product);
    if (name === "probability") return ["%", "Probability (%)"];
    const what = { field: "", spread: "spread of ", difference: "difference in " }[name];
    return [variable.units, words.capital(`${what}${variable.title} (${variable.units})`)];
  }

  function extremes(field, unit, step) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of field.values) { if (value < low) low = value; if (value > high) high = value; }
    return low <= high ? `From ${words.number(low, step)} to ${words.number(high, step)} ${unit}.` : "No values.";
  }

  async function field(side, lead) {
    const { state, meta } = sphercast;
    if (side !== "a" && meta.sides.b.lacks[state.variable][state.level]) throw new Error(`${meta.sides.b.name} lacks this field. Choose another variable or level.`);
    if (side !== "a" && !meta.sides.b.has[lead]) throw new Error(`${meta.sides.b.name} has nothing valid at ${meta.leads[lead].valid}.`);
    return sphercast.piece(`field/${side}/${state.variable}/${state.level}/${lead}/${productOf(side)}`);
  }

  function shown(side, piece) {
    const { state, meta } = sphercast, product = productOf(side), name = scaleName(side, product);
    const own = scale.scales[name];
    if (!own) throw new Error("There are no colours for this field: it has no values at any lead time.");
    const decoded = sphercast.decode(piece), [unit, units] = unitsOf(side, product);
    const sign = name === "field" || name === "difference" ? meta.variables[state.variable].sign : 1;
    return { fine: sphercast.refine(decoded, meta.sides[side].grid, sign), scale: own,
      lines: name === "field" ? scale.lines : [], title: titleOf(side), times: timesOf(side, piece), unit, units,
      extremes: extremes(decoded, unit, (own.edges[own.edges.length - 1] - own.edges[0]) / 200) };
  }

  async function drawSide(side, mine) {
    const panel = panels[side];
    const patience = setTimeout(() => { if (mine === turn) panel.tell("Loading…"); }, 200);
    try {
      const piece = await field(side, sphercast.state.lead);
      if (mine === turn) panel.draw(shown(side, piece));
    } catch (error) {
      if (mine !== turn) return;
      panel.title.textContent = titleOf(side);
      panel.times.textContent = `Valid ${sphercast.meta.leads[sphercast.state.lead].valid}`;
      panel.tell(error.message, true);
    } finally {
      clearTimeout(patience);
    }
  }

  async function loadScale() {
    const { variable, level } = sphercast.state;
    scale = await sphercast.piece(`scale/${variable}/${level}`).catch((error) => ({ refused: error.message, scales: {}, lines: [], thresholds: [] }));
    sphercast.say(scale.refused);
  }

  /** Draw all that is shown, then ask for the next lead time, so that it is there when it is wanted. */
  async function render() {
    const mine = turn += 1;
    sides().forEach((side) => field(side, sphercast.state.lead).catch(() => {})); // on its way while colours are
    await loadScale();
    if (mine !== turn) return;
    const { state } = sphercast;
    if (/^p\d/.test(state.product) && !sphercast.probabilityLabel(scale, state.product)) { sphercast.set({ product: "mean" }); return; }
    sphercast.fitControls(scale);
    arrange();
    await Promise.all(sides().map((side) => drawSide(side, mine)));
    if (mine !== turn) return;
    readOut();
    if (state.lead + 1 < sphercast.meta.leads.length) sides().forEach((side) => field(side, state.lead + 1).catch(() => {}));
  }

  function arrange() {
    const wanted = sides(), box = by("panels");
    for (const side of wanted) panels[side] ??= new sphercast.Panel(point, (place) => sphercast.set({ place }));
    const roots = wanted.map((side) => panels[side].root);
    if (roots.some((root, i) => box.children[i] !== root) || box.children.length !== roots.length) box.replaceChildren(...roots);
    document.body.classList.toggle("two", wanted.length > 1);
    for (const side of wanted) size(panels[side], wanted.length);
  }

  /** As wide as there is room, as high as the projection wants and the window allows. */
  function size(panel, count) {
    const width = panel.frame.clientWidth, aspect = views.VIEWS[sphercast.state.projection].aspect;
    const narrow = window.innerWidth < 760;
    const room = window.innerHeight - (narrow ? (count > 1 ? 430 : 330) : 358);
    return panel.resize(width, Math.round(Math.max(170, Math.min(width / aspect, room))));
  }

  function point(panel, place) {
    pointed = place && { panel, place };
    for (const own of Object.values(panels)) own.showPlace(own.tip, place, place ? own.value(place) : "");
    readOut();
  }

  /** The value under the pointer, else at the chosen place, in words. */
  function readOut() {
    const place = pointed?.place ?? sphercast.state.place;
    for (const own of Object.values(panels)) own.showPlace(own.mark, sphercast.state.place);
    by("readout").setAttribute("aria-live", pointed ? "off" : "polite");
    if (!place) { by("readout").textContent = "Point at the map for values. Click it for a meteogram."; return; }
    const named = sides().map((side) => `${sides().length > 1 ? `${sphercast.meta.sides[side].name}: ` : ""}${panels[side]?.value(place) ?? "no value"}`);
    by("readout").textContent = `${words.place(...place)} – ${named.join(" · ")}`;
  }

  function changed(before) {
    const { state } = sphercast, differs = (...keys) => keys.some((key) => String(before[key]) !== String(state[key]));
    sphercast.fitTime();
    done = render();
    const told = differs("place", "variable", "level", "lead") ? sphercast.showPlace() : null;
    if (differs("place") && state.place) Promise.all([done, told]).then(() => by("place").scrollIntoView({ block: "nearest" }));
  }

  async function start() {
    try {
      const meta = await sphercast.piece("meta");
      sphercast.startState(meta);
    } catch (error) {
      sphercast.say(error.message);
      return;
    }
    sphercast.startControls();
    sphercast.startTime();
    sphercast.startKeys();
    sphercast.onChange(changed);
    new ResizeObserver(() => { done = render(); }).observe(by("panels"));
    window.addEventListener("resize", () => { done = render(); });
    sphercast.showPlace();
    done = render();
  }

  start();
})();

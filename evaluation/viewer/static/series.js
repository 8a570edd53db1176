/* What happens at the chosen place: the meteogram with its words, and the same as a table. */
"use strict";

(() => {
  const { element, words } = sphercast;
  const panel = () => document.getElementById("place");
  const QUANTITIES = { q0: "lowest", q10: "10 %", q25: "25 %", q50: "median", q75: "75 %", q90: "90 %", q100: "highest",
    control: "control", value: "value" };

  /** The grid point next to a place: row, column and where it is. */
  function nearest(grid, [latitude, longitude]) {
    const apart = (one, two) => Math.abs((((one - two + 540) % 360) + 360) % 360 - 180);
    const row = d3.leastIndex(grid.latitude, (one, two) => Math.abs(one - latitude) - Math.abs(two - latitude));
    const column = d3.leastIndex(grid.longitude, (one, two) => apart(one, longitude) - apart(two, longitude));
    return { row, column, place: [grid.latitude[row], grid.longitude[column]] };
  }

  /** Values of one point: lists over leads by quantity. */
  function ofPoint(piece, column) {
    const codes = sphercast.codes(piece.data), [leads, quantities, columns] = piece.shape;
    const value = (lead, q) => {
      const code = codes[(lead * quantities + q) * columns + column];
      return code === sphercast.MISSING ? NaN : code * piece.scale[lead] + piece.offset[lead];
    };
    return Object.fromEntries(piece.quantities.map((name, q) =>
      [name, Array.from({ length: leads }, (_, lead) => value(lead, q))]));
  }

  async function load(side, place) {
    const { variable, level } = sphercast.state, point = nearest(sphercast.meta.sides[side].grid, place);
    const piece = await sphercast.piece(`series/${side}/${variable}/${level}/${point.row}`);
    return { ...point, series: ofPoint(piece, point.column), gaps: piece.gaps };
  }

  /** The other side's series; null where there is none, which is said. */
  async function loadOther(place) {
    const { state, meta } = sphercast;
    if (!meta.sides.b) return { found: null, note: "" };
    if (meta.sides.b.lacks[state.variable][state.level]) return { found: null, note: `${meta.sides.b.name} lacks this field.` };
    try {
      return { found: await load("b", place), note: "" };
    } catch (error) {
      return { found: null, note: error.message };
    }
  }

  function table(series, leads, step) {
    const names = Object.keys(series);
    const head = element("tr", {}, element("th", { scope: "col" }, "Valid"),
      ...names.map((name) => element("th", { scope: "col" }, QUANTITIES[name])));
    const rows = leads.map((lead, i) => element("tr", {}, element("th", { scope: "row" }, `${lead.day} ${lead.valid}`),
      ...names.map((name) => element("td", {}, words.number(series[name][i], step)))));
    const body = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
    return element("details", {}, element("summary", {}, "As a table"),
      element("div", { class: "scroll", tabindex: "0" }, body));
  }

  function keyed(shape, text) {
    return element("span", {}, element("i", { class: `swatch ${shape}` }), text);
  }

  function keyOf(series, other) {
    const { a, b } = sphercast.meta.sides;
    const parts = series.q50
      ? [keyed("inner", "25–75 %"), keyed("middle", "10–90 %"), keyed("outer", "all members"), keyed("median", "median")]
      : [keyed("median", a.name)];
    if (series.control) parts.push(keyed("control", `control (member ${a.control})`));
    if (other) parts.push(keyed("other", other.series.q50 ? `median of ${b.name}` : b.kind === "analysis" ? "analysis" : b.name));
    return element("p", { class: "keyline" }, ...parts);
  }

  function summary(series, lead, unit, step) {
    const say = (name) => `${words.number(series[name][lead], step)}`;
    return series.q50 ? `Median ${say("q50")} ${unit}, 10–90 % ${say("q10")} to ${say("q90")} ${unit}` : `${say("value")} ${unit}`;
  }

  function chartOf(own, other, label) {
    const { state, meta } = sphercast, width = Math.max(280, panel().clientWidth - 24);
    return sphercast.chart({
      width, height: Math.round(Math.max(210, Math.min(310, width * 0.62, window.innerHeight * 0.36))), own: own.series, other: other && other.series,
      variable: meta.variables[state.variable], leads: meta.leads, lead: state.lead, label,
      onLead: (lead) => sphercast.set({ lead }),
    });
  }

  function header(own) {
    const close = element("button", { type: "button", class: "close", "aria-label": "Close the meteogram" }, "×");
    close.addEventListener("click", () => sphercast.set({ place: null }));
    const { state, meta } = sphercast, variable = meta.variables[state.variable];
    const quantity = words.quantity(variable, variable.levels[state.level]);
    return element("header", {}, element("h2", {}, words.capital(`${quantity} (${variable.units})`)),
      element("p", {}, own ? `Grid point ${words.place(...own.place)}` : words.place(...state.place)), close);
  }

  function stepOf(series) {
    const values = Object.values(series).flat().filter(Number.isFinite);
    return values.length ? (Math.max(...values) - Math.min(...values)) / 50 || 0.1 : 0.1;
  }

  function show(own, { found, note }) {
    const { state, meta } = sphercast, step = stepOf(own.series), unit = meta.variables[state.variable].units;
    const lead = meta.leads[state.lead];
    const now = `${summary(own.series, state.lead, unit, step)} at ${words.hours(lead.hours)} (${lead.day} ${lead.valid})`;
    const picture = chartOf(own, found, `Meteogram at ${words.place(...own.place)}. ${now}`);
    const gaps = own.gaps.length ? `No values at ${own.gaps.length} lead times: ${own.gaps[0].words}` : note;
    panel().replaceChildren(header(own), picture || element("p", {}, "There is no value at this point."),
      keyOf(own.series, found), element("p", { class: "now-words", "aria-live": "polite" }, now),
      ...(gaps ? [element("p", { class: "small" }, gaps)] : []), table(own.series, meta.leads, step));
  }

  let turn = 0;

  /** Load and draw the meteogram of the state's place, or hide it. */
  sphercast.showPlace = async () => {
    const { place } = sphercast.state, mine = turn += 1;
    panel().hidden = !place;
    document.body.classList.toggle("with-place", Boolean(place));
    if (!place) return;
    const patience = setTimeout(() => {
      if (mine === turn) panel().replaceChildren(header(null), element("p", { role: "status" },
        "Reading all lead times; the first time for a field takes a while…"));
    }, 250);
    try {
      const [own, other] = await Promise.all([load("a", place), loadOther(place)]);
      if (mine === turn) show(own, other);
    } catch (error) {
      if (mine === turn) panel().replaceChildren(header(null), element("p", { role: "alert" }, error.message));
    } finally {
      clearTimeout(patience);
    }
  };
})();

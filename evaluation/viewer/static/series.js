/* What happens at the chosen place: the meteogram with its words, and the same as a table. */
"use strict";

(() => {
  const { element, words } = sphercast;
  const panel = () => document.getElementById("place");
  const QUANTITIES = { q0: "lowest", q10: "10 %", q25: "25 %", q50: "median", q75: "75 %", q90: "90 %", q100: "highest",
    control: "control", value: "value" };
  const CLIMATE = ["climate 10 %", "climate median", "climate 90 %"];

  /** The grid point next to a place: row, column, where it is, and how many kilometres away. */
  function nearest(grid, [latitude, longitude]) {
    const apart = (one, two) => Math.abs((((one - two + 540) % 360) + 360) % 360 - 180);
    const row = d3.leastIndex(grid.latitude, (one, two) => Math.abs(one - latitude) - Math.abs(two - latitude));
    const column = d3.leastIndex(grid.longitude, (one, two) => apart(one, longitude) - apart(two, longitude));
    const place = [grid.latitude[row], grid.longitude[column]];
    return { row, column, place, away: d3.geoDistance([longitude, latitude], [place[1], place[0]]) * 6371 };
  }

  /** Two neighbours on an axis that ascends, with their shares; one alone at its ends. */
  function between(axis, x, period) {
    const last = axis.length - 1, after = d3.bisectRight(axis, x);
    if (after > 0 && after <= last) return [[after - 1, axis[after] - x], [after, x - axis[after - 1]]].map(([i, own]) => [i, own / (axis[after] - axis[after - 1])]);
    if (!period) return [[after > last ? last : 0, 1]];
    const gap = axis[0] + period - axis[last], share = (x - axis[last]) / gap;
    return [[last, 1 - share], [0, share]];
  }

  /** The grid points about a place, with their weights: bilinear, between the last row and a pole of that row alone. */
  function around(grid, [latitude, longitude]) {
    const start = grid.longitude[0], east = (value) => (((value - start) % 360) + 360) % 360;
    const beyond = [latitude > grid.latitude[0] && !grid.poles[0], latitude < grid.latitude[grid.latitude.length - 1] && !grid.poles[1],
      !grid.periodic && east(longitude) > east(grid.longitude[grid.longitude.length - 1])];
    if (beyond.includes(true)) throw new Error(`${words.place(latitude, longitude)} is outside the forecast's grid; choose a place inside.`);
    const columns = between(grid.longitude.map(east), east(longitude), grid.periodic && 360);
    const rows = between(grid.latitude.map((value) => -value), -latitude, 0);
    return rows.flatMap(([row, one]) => columns.map(([column, two]) => ({ row, column, weight: one * two })));
  }

  /** The sum of series with weights; those without weight do not count. */
  function blended(parts) {
    const counted = parts.filter((part) => part.weight > 0);
    return Object.fromEntries(Object.keys(counted[0].series).map((name) => [name, counted[0].series[name].map((_, lead) =>
      d3.sum(counted, (part) => (Number.isFinite(part.series[name][lead]) ? 0 : 1)) ? NaN : d3.sum(counted, (part) => part.weight * part.series[name][lead]))]));
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

  const numbers = (values) => values.map((value) => (value === null ? NaN : value));

  /** The series of a place, and how the values came there: a server knows all members, a folder quantiles alone. */
  async function load(side, place) {
    const { variable, level } = sphercast.state, key = `${side}/${variable}/${level}`;
    if (sphercast.meta.anywhere) {
      const east = ((((place[1] + 180) % 360) + 360) % 360) - 180;
      const piece = await sphercast.piece(`place/${key}/${place[0].toFixed(2)}/${east.toFixed(2)}`);
      const series = Object.fromEntries(Object.entries(piece.series).map(([name, values]) => [name, numbers(values)]));
      return { ...piece, place, series, climate: piece.climate?.map(numbers) };
    }
    const { grid } = sphercast.meta.sides[side], next = nearest(grid, place), { sum } = sphercast.meta.variables[variable];
    const about = around(grid, place), points = sum ? [{ ...next, weight: 1 }] : about;
    const parts = await Promise.all(points.map(async (point) => {
      const piece = await sphercast.piece(`series/${key}/${point.row}`);
      return { weight: point.weight, series: ofPoint(piece, point.column), gaps: piece.gaps };
    }));
    const how = sum ? "The value of the grid cell that it lies in" : `Quantiles bilinear between ${points.length} grid points`;
    const where = `nearest grid point ${words.place(...next.place)}, ${Math.round(next.away)} km away`;
    return { series: blended(parts), gaps: parts[0].gaps, how: `${how}; ${where}` };
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

  function table({ series, climate }, leads, step) {
    const columns = [...Object.entries(series).map(([name, values]) => [QUANTITIES[name], values]),
      ...(climate ?? []).map((values, i) => [CLIMATE[i], values])];
    const head = element("tr", {}, element("th", { scope: "col" }, "Valid"),
      ...columns.map(([name]) => element("th", { scope: "col" }, name)));
    const rows = leads.map((lead, i) => element("tr", {}, element("th", { scope: "row" }, `${lead.day} ${lead.valid}`),
      ...columns.map(([, values]) => element("td", {}, words.number(values[i], step)))));
    const body = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
    return element("details", {}, element("summary", {}, "As a table"),
      element("div", { class: "scroll", tabindex: "0" }, body));
  }

  function keyed(shape, text) {
    return element("span", {}, element("i", { class: `swatch ${shape}` }), text);
  }

  function keyOf({ series, climate, usual }, other) {
    const { a, b } = sphercast.meta.sides;
    const parts = series.q50
      ? [keyed("inner", "25–75 %"), keyed("middle", "10–90 %"), keyed("outer", "all members"), keyed("median", "median")]
      : [keyed("median", a.name)];
    if (series.control) parts.push(keyed("control", `control (member ${a.control})`));
    if (climate) parts.push(keyed("climate", `climate, middle 80 % and median (${usual})`));
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
      width, height: Math.round(Math.max(210, Math.min(310, width * 0.62, window.innerHeight * 0.36))), own: own.series, other: other && other.series, climate: own.climate,
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
      element("p", {}, words.place(...state.place)), ...(own ? [element("p", { class: "small how" }, own.how)] : []), close);
  }

  function stepOf(series) {
    const values = Object.values(series).flat().filter(Number.isFinite);
    return values.length ? (Math.max(...values) - Math.min(...values)) / 50 || 0.1 : 0.1;
  }

  function show(own, { found, note }) {
    const { state, meta } = sphercast, step = stepOf(own.series), unit = meta.variables[state.variable].units;
    const lead = meta.leads[state.lead];
    const now = `${summary(own.series, state.lead, unit, step)} at ${words.hours(lead.hours)} (${lead.day} ${lead.valid})`;
    const picture = chartOf(own, found, `Meteogram at ${words.place(...state.place)}. ${now}`);
    const lacks = own.usual === "" ? "The climatology lacks this field." : "";
    const gaps = own.gaps.length ? `No values at ${own.gaps.length} lead times: ${own.gaps[0].words}` : note || lacks;
    panel().replaceChildren(header(own), picture || element("p", {}, "There is no value at this point."),
      keyOf(own, found), element("p", { class: "now-words", "aria-live": "polite" }, now),
      ...(gaps ? [element("p", { class: "small" }, gaps)] : []), table(own, meta.leads, step));
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

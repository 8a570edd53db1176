/* The drawing of a meteogram: bands of quantiles through time, the control, what it is compared with. */
"use strict";

(() => {
  const { svg, words } = sphercast;
  const MARGIN = { left: 46, right: 12, top: 10, bottom: 40 };
  const MOST_DOTS = 24; // beyond, they would run together
  const BANDS = [["q0", "q100", "outer"], ["q10", "q90", "middle"], ["q25", "q75", "inner"]];

  const known = (values) => values.filter(Number.isFinite);

  /** A path through points that are known; gaps break it. */
  function path(xs, ys) {
    let open = false;
    return xs.map((x, i) => {
      if (!Number.isFinite(ys[i])) { open = false; return ""; }
      const step = `${open ? "L" : "M"}${x.toFixed(1)},${ys[i].toFixed(1)}`;
      open = true;
      return step;
    }).join("");
  }

  /** Bands one by one between neighbouring leads where both are known. */
  function band(xs, low, high) {
    return xs.slice(1).map((x, i) => {
      const corners = [low[i], low[i + 1], high[i + 1], high[i]];
      return corners.every(Number.isFinite)
        ? `M${xs[i]},${low[i]}L${x},${low[i + 1]}L${x},${high[i + 1]}L${xs[i]},${high[i]}Z` : "";
    }).join("");
  }

  function axes(values, variable, height) {
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (variable.amount) low = 0;
    const room = (high - low) * 0.06 || Math.abs(high) * 0.01 || 1;
    const ticks = d3.ticks(variable.amount ? 0 : low - room, high + room, 5);
    [low, high] = [variable.amount ? 0 : low - room, high + room];
    const bottom = height - MARGIN.bottom;
    const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - MARGIN.top);
    return { y, ticks };
  }

  function frame(chart, ticks) {
    const { width, height, y, xs, leads } = chart, parts = [];
    for (const tick of ticks) {
      parts.push(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }));
      parts.push(svg("text", { x: MARGIN.left - 6, y: y(tick) + 4, "text-anchor": "end" }, words.number(tick, ticks[1] - ticks[0])));
    }
    const every = Math.max(1, Math.ceil(leads.length / Math.max(2, Math.floor((width - 60) / 52))));
    leads.forEach((lead, i) => {
      if (i % every) return;
      const text = { x: xs[i], "text-anchor": "middle" };
      parts.push(svg("text", { ...text, y: height - 24 }, `${lead.day} ${lead.valid.slice(8, 10)}`));
      parts.push(svg("text", { ...text, y: height - 9, class: "faint" }, `+${lead.hours}`));
    });
    return parts;
  }

  function drawn(chart, series, kind) {
    const { xs, y } = chart, line = (name) => series[name].map((value) => (Number.isFinite(value) ? y(value) : NaN));
    const parts = [];
    const dots = (name, shape) => (xs.length > MOST_DOTS ? [] : line(name)).forEach((value, i) => {
      if (Number.isFinite(value)) parts.push(svg("circle", { class: `${shape} dot`, cx: xs[i], cy: value, r: 2.6 }));
    });
    if (kind === "own" && series.q50) {
      for (const [low, high, shape] of BANDS) {
        parts.push(svg("path", { class: `band ${shape}`, d: band(xs, line(low), line(high)) }));
      }
    }
    const middle = series.q50 ? "q50" : "value", shape = kind === "own" ? "median" : "other";
    parts.push(svg("path", { class: `line ${shape}`, d: path(xs, line(middle)) }));
    dots(middle, shape);
    if (kind === "own" && series.control) {
      parts.push(svg("path", { class: "line control", d: path(xs, line("control")) }));
    }
    return parts;
  }

  /** The climate's middle 80 % and its median, behind all else. */
  function usual({ xs, y }, [low, middle, high]) {
    const heights = [low, middle, high].map((values) => values.map((value) => (Number.isFinite(value) ? y(value) : NaN)));
    return [svg("path", { class: "climate", d: band(xs, heights[0], heights[2]) }),
      svg("path", { class: "line climate-median", d: path(xs, heights[1]) })];
  }

  /** An SVG of `width` x `height`: one series with its climate, and `other` (or null), at `leads`; calls back with a lead. */
  sphercast.chart = ({ width, height, own, other, climate, variable, leads, lead, label, onLead }) => {
    const hours = leads.map((each) => each.hours), span = hours[hours.length - 1] - hours[0] || 1;
    const inner = width - MARGIN.left - MARGIN.right - 16;
    const xs = hours.map((each) => MARGIN.left + 8 + ((each - hours[0]) / span) * inner);
    const values = known([own, other].filter(Boolean).flatMap((series) => Object.values(series).flat()).concat(climate?.flat() ?? []));
    if (!values.length) return null;
    const { y, ticks } = axes(values, variable, height);
    const chart = { width, height, y, xs, leads };
    const now = svg("line", { class: "now", x1: xs[lead], x2: xs[lead], y1: MARGIN.top, y2: height - MARGIN.bottom });
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "meteogram", role: "img", "aria-label": label },
      ...frame(chart, ticks), ...(climate ? usual(chart, climate) : []), ...drawn(chart, own, "own"), ...(other ? drawn(chart, other, "other") : []), now);
    picture.addEventListener("click", (event) => {
      const x = ((event.clientX - picture.getBoundingClientRect().left) / picture.clientWidth) * width;
      onLead(d3.leastIndex(xs, (one, two) => Math.abs(one - x) - Math.abs(two - x)));
    });
    return picture;
  };
})();

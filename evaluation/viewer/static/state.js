/* What is shown. It is kept in the address behind '#', so that a link shows the same again. */
"use strict";

(() => {
  const PROJECTIONS = ["equirectangular", "robinson", "orthographic", "north", "south"];
  const COMPARE = ["a", "ab", "b", "d"];
  const state = { variable: 0, level: 0, product: "mean", lead: 0, projection: "equirectangular", compare: "a",
    place: null, centre: [0, 0], zoom: 1 };
  const listeners = [];
  let meta;

  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  function isProduct(id) {
    const known = [...meta.products, ...meta.members].some((own) => own.id === id);
    return known || (meta.products.length > 1 && /^p[0-4]$/.test(id));
  }

  function readHash() {
    const words = new URLSearchParams(location.hash.slice(1));
    const found = {};
    const variable = meta.variables.findIndex((own) => own.name === words.get("variable"));
    if (variable >= 0) found.variable = variable;
    const level = meta.variables[found.variable ?? state.variable].levels.indexOf(Number(words.get("level")));
    if (level >= 0) found.level = level;
    if (isProduct(words.get("show"))) found.product = words.get("show");
    const lead = words.has("lead") ? meta.leads.findIndex((own) => own.hours === Number(words.get("lead"))) : -1;
    if (lead >= 0) found.lead = lead;
    if (PROJECTIONS.includes(words.get("map"))) found.projection = words.get("map");
    if (meta.sides.b && COMPARE.includes(words.get("compare"))) found.compare = words.get("compare");
    found.place = numbers(words.get("at"));
    const home = sphercast.home();
    found.centre = numbers(words.get("centre")) ?? home.centre;
    found.zoom = Number(words.get("zoom")) || home.zoom;
    return found;
  }

  /** Two numbers joined by a comma, else null. */
  function numbers(text) {
    const parts = (text ?? "").split(",").map(Number);
    return text && parts.length === 2 && parts.every(Number.isFinite) ? parts : null;
  }

  function hash() {
    const variable = meta.variables[state.variable];
    const words = new URLSearchParams({ variable: variable.name });
    if (variable.levels[state.level] !== null) words.set("level", variable.levels[state.level]);
    words.set("show", state.product);
    words.set("lead", meta.leads[state.lead].hours);
    words.set("map", state.projection);
    if (meta.sides.b) words.set("compare", state.compare);
    if (state.place) words.set("at", state.place.map((value) => value.toFixed(2)).join(","));
    const home = sphercast.home(), centre = state.centre.map((value) => value.toFixed(1)).join(",");
    if (centre !== home.centre.map((value) => value.toFixed(1)).join(",")) words.set("centre", centre);
    if (state.zoom.toFixed(2) !== home.zoom.toFixed(2)) words.set("zoom", String(+state.zoom.toFixed(2)));
    return `#${words.toString().replaceAll("%2C", ",")}`;
  }

  function tidy() {
    const levels = meta.variables[state.variable].levels.length;
    state.level = clamp(state.level, 0, levels - 1);
    state.lead = clamp(state.lead, 0, meta.leads.length - 1);
    state.zoom = clamp(state.zoom, 1, 12);
    const reach = 90 * (1 - 1 / state.zoom);
    const [longitude, latitude] = state.centre;
    const free = state.projection === "orthographic" ? 90 : reach;
    state.centre = [((longitude + 540) % 360 + 360) % 360 - 180, clamp(latitude, -free, free)];
    if (state.place) state.place = [clamp(state.place[0], -90, 90), ((state.place[1] + 540) % 360 + 360) % 360 - 180];
  }

  function write() {
    try { history.replaceState(null, "", hash()); } catch { location.replace(hash()); }
  }

  sphercast.state = state;
  sphercast.onChange = (listener) => listeners.push(listener);

  /** Change what is shown; another variable keeps the level in hPa where it can. */
  sphercast.set = (changes) => {
    const pressure = meta.variables[state.variable].levels[state.level];
    const before = { ...state };
    Object.assign(state, changes);
    if ("variable" in changes && !("level" in changes)) {
      const levels = meta.variables[state.variable].levels;
      state.level = Math.max(0, levels.indexOf(pressure ?? sphercast.usualLevel(levels)));
    }
    tidy();
    write();
    listeners.forEach((listener) => listener(before));
  };

  /** The whole map; of a forecast of a region the region. */
  sphercast.home = () => {
    const { latitude, longitude, periodic } = meta.sides.a.grid;
    if (periodic) return { centre: [0, 0], zoom: 1 };
    const wide = ((longitude[longitude.length - 1] - longitude[0]) % 360 + 360) % 360;
    const high = latitude[0] - latitude[latitude.length - 1];
    const centre = [(longitude[0] + wide / 2 + 540) % 360 - 180, (latitude[0] + latitude[latitude.length - 1]) / 2];
    return { centre, zoom: clamp(0.9 * Math.min(360 / wide, 180 / high), 1, 12) };
  };

  sphercast.usualLevel = (levels) => (levels.includes(500) ? 500 : levels[0]);

  sphercast.startState = (content) => {
    meta = content;
    sphercast.meta = content;
    const levels = meta.variables[0].levels;
    state.level = levels.indexOf(sphercast.usualLevel(levels));
    state.compare = meta.sides.b ? "ab" : "a";
    Object.assign(state, readHash());
    tidy();
    window.addEventListener("hashchange", () => { if (location.hash !== hash()) sphercast.set(readHash()); });
  };
})();

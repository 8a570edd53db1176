/* Everything by keyboard. */
"use strict";

(() => {
  const { element } = sphercast;
  const by = (id) => document.getElementById(id);

  function turn(key, count, steps) {
    sphercast.set({ [key]: (sphercast.state[key] + steps + count) % count });
  }

  function level(steps) {
    const { meta, state } = sphercast, known = meta.variables[state.variable].levels.length;
    sphercast.set({ level: Math.min(known - 1, Math.max(0, state.level + steps)) });
  }

  function member(steps) {
    const known = sphercast.meta.members.map((own) => own.id);
    if (!known.length) return;
    const place = known.indexOf(sphercast.state.product);
    sphercast.set({ product: known[place < 0 ? (steps > 0 ? 0 : known.length - 1) : (place + steps + known.length) % known.length] });
  }

  function product(steps) {
    const known = [...by("product").options].map((own) => own.value);
    sphercast.set({ product: known[(known.indexOf(sphercast.state.product) + steps + known.length) % known.length] });
  }

  /** The chosen place, one grid step further; the middle of the map if there is none yet. */
  function move(rows, columns) {
    const { state, meta } = sphercast, { latitude, longitude } = meta.sides.a.grid;
    const [north, east] = state.place ?? [state.centre[1], state.centre[0]];
    const moved = state.place
      ? [north + rows * (latitude[0] - latitude[1]), east + columns * (longitude[1] - longitude[0])] : [north, east];
    sphercast.set({ place: moved });
  }

  const zoom = (factor) => sphercast.set({ zoom: sphercast.state.zoom * factor });

  const KEYS = new Map([
    ["ArrowLeft", ["←", "lead time before", () => sphercast.step(-1)]],
    ["ArrowRight", ["→", "next lead time", () => sphercast.step(1)]],
    ["Home", ["Home", "first lead time", () => sphercast.step(-Infinity)]],
    ["End", ["End", "last lead time", () => sphercast.step(Infinity)]],
    ["ArrowUp", ["↑", "next level up", () => level(-1)]],
    ["ArrowDown", ["↓", "next level down", () => level(1)]],
    [" ", ["space", "play or pause", () => sphercast.togglePlay()]],
    ["v", ["v", "next variable", () => turn("variable", sphercast.meta.variables.length, 1)]],
    ["V", ["V", "variable before", () => turn("variable", sphercast.meta.variables.length, -1)]],
    ["p", ["p", "next product: mean, spread, …", () => product(1)]],
    ["P", ["P", "product before", () => product(-1)]],
    ["m", ["m", "next member", () => member(1)]],
    ["M", ["M", "member before", () => member(-1)]],
    ["+", ["+", "zoom in", () => zoom(1.5)]],
    ["-", ["−", "zoom out", () => zoom(1 / 1.5)]],
    ["0", ["0", "whole map", () => sphercast.set(sphercast.home())]],
    ["Enter", ["Enter", "on the map: meteogram at its middle", () => move(0, 0)]],
    ["Escape", ["Esc", "close the meteogram", () => sphercast.set({ place: null })]],
    ["?", ["?", "these keys", () => by("help").showModal()]],
  ]);
  const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] };

  /** Whether a key is for what has the focus: lists and sliders have arrows of their own, buttons space and Enter. */
  function isTaken(event) {
    const node = event.target;
    if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return true;
    if (node.matches("select, input:not([type=range])")) return event.key !== "?";
    if (node.matches("button, a, summary") && [" ", "Enter"].includes(event.key)) return true;
    if (node.matches(".scroll") && event.key.startsWith("Arrow")) return true;
    return event.key === "Enter" && !node.matches(".stage");
  }

  sphercast.startKeys = () => {
    const rows = [...KEYS.values(), ["Shift + arrows", "move the place of the meteogram"],
      ["drag, wheel, pinch", "turn and zoom the map"]];
    by("keys").replaceChildren(...rows.flatMap(([key, text]) =>
      [element("dt", {}, element("kbd", {}, key)), element("dd", {}, text)]));
    document.addEventListener("keydown", (event) => {
      if (isTaken(event)) return;
      if (event.shiftKey && MOVES[event.key]) move(...MOVES[event.key]);
      else if (KEYS.has(event.key)) KEYS.get(event.key)[2]();
      else return;
      event.preventDefault();
    });
  };
})();

/* The one name of the page, and how numbers, places and times are written. Text goes into the page as text alone. */
"use strict";

const sphercast = {};

sphercast.words = {
  /** With a true minus sign, and with the digits that tell two values apart that differ by a step. */
  number(value, step) {
    if (!Number.isFinite(value)) return "no value";
    const digits = Math.max(0, Math.min(4, -Math.floor(Math.log10(Math.abs(step) || 1) + 1e-9)));
    return value.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");
  },

  place(latitude, longitude) {
    const east = ((longitude + 540) % 360) - 180;
    const side = (value, plus, minus) => `${Math.abs(value).toFixed(1)}° ${value < 0 ? minus : plus}`;
    return `${side(latitude, "N", "S")}, ${side(east, "E", "W")}`;
  },

  hours(lead) {
    return `T+${String(+lead.toFixed(2))} h`;
  },

  capital(text) {
    return text.charAt(0).toUpperCase() + text.slice(1);
  },

  /** E.g. '500 hPa geopotential height'. */
  quantity(variable, level) {
    return level === null ? variable.title : `${level} hPa ${variable.title}`;
  },

  members(piece) {
    const some = piece.members === piece.size ? `${piece.size}` : `${piece.members} of ${piece.size}`;
    return `${some} member${some === "1" ? "" : "s"}`;
  },
};

/** An element with text, attributes and children; never markup. */
sphercast.element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

sphercast.svg = (name, attributes = {}, ...children) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

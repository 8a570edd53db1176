/* The colours of a map, with the values at which they change and the units. */
"use strict";

(() => {
  const { svg, element } = sphercast;
  const HEIGHT = 12, POINT = 14;

  /** Of edges, those whose labels have room beside each other. */
  function labelled(count, width) {
    const every = Math.max(1, Math.ceil((count * 34) / width));
    return (place) => place % every === 0;
  }

  function pieces(scale, width) {
    const left = scale.extend === "both" ? POINT : 6, right = scale.extend === "neither" ? 6 : POINT;
    const step = (width - left - right) / (scale.edges.length - 1);
    const colours = [...scale.colours], shapes = [];
    if (scale.extend === "both") {
      shapes.push(svg("polygon", { points: `${left},0 ${left},${HEIGHT} 0,${HEIGHT / 2}`, fill: colours.shift() }));
    }
    if (scale.extend !== "neither") {
      const end = width - right;
      shapes.push(svg("polygon", { points: `${end},0 ${end},${HEIGHT} ${width},${HEIGHT / 2}`, fill: colours.pop() }));
    }
    colours.forEach((fill, i) => shapes.push(
      svg("rect", { x: left + i * step, y: 0, width: step + 0.4, height: HEIGHT, fill })));
    return { shapes, at: (i) => left + i * step };
  }

  /** A figure of the scale that fits into `width` pixels. */
  sphercast.legend = (scale, title, width) => {
    const { shapes, at } = pieces(scale, width), shown = labelled(scale.edges.length, width);
    const labels = scale.labels.map((text, i) => shown(i) && svg("text",
      { x: Math.min(width - 8, Math.max(8, at(i))), y: HEIGHT + 14, "text-anchor": "middle" }, text)).filter(Boolean);
    const ends = `${scale.labels[0]} to ${scale.labels[scale.labels.length - 1]}`;
    const picture = svg("svg", { class: "scale", viewBox: `0 0 ${width} ${HEIGHT + 18}`, role: "img",
      "aria-label": `Colours: ${title}, from ${ends}` }, ...shapes, ...labels);
    return element("div", { class: "legend" }, picture, element("span", { "aria-hidden": "true" }, title));
  };
})();

/* Classes of colours on a canvas, with smooth edges and thin lines where forecasters expect them. */
"use strict";

(() => {
  const NOTHING = [168, 176, 186];
  const INK = [22, 34, 46];

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  /** Colours by class: class 0 is below the first edge, which has its own colour only where the scale is open. */
  function classes(scale) {
    const own = scale.colours.map(rgb);
    const first = scale.extend === "both" ? [] : [own[0]];
    const last = scale.extend === "neither" ? [own[own.length - 1]] : [];
    return [...first, ...own, ...last];
  }

  /** Values on every pixel of a view; NaN off the map or where there is none. */
  function onPixels(fine, degrees) {
    const values = new Float32Array(degrees.length / 2);
    let latitude = NaN, row = NaN;
    for (let i = 0; i < values.length; i += 1) {
      if (degrees[2 * i] !== degrees[2 * i]) { values[i] = NaN; continue; }
      const [fineRow, column] = degrees[2 * i + 1] === latitude
        ? [row, sphercast.fineColumn(fine, degrees[2 * i])]
        : sphercast.finePlace(fine, degrees[2 * i + 1], degrees[2 * i]);
      latitude = degrees[2 * i + 1];
      row = fineRow;
      values[i] = sphercast.sample(fine, fineRow, column);
    }
    return values;
  }

  function classOf(value, edges, guess) {
    let k = guess;
    while (k > 0 && value < edges[k - 1]) k -= 1;
    while (k < edges.length && value >= edges[k]) k += 1;
    return k;
  }

  /** How fast the field changes from this pixel to the next ones. */
  function slope(values, i, width) {
    const v = values[i], right = values[i + 1] - v, down = values[i + width] - v;
    return Math.hypot(right === right ? right : 0, down === down ? down : 0);
  }

  function blendInto(pixel, at, colour, share) {
    for (let c = 0; c < 3; c += 1) pixel[at + c] += (colour[c] - pixel[at + c]) * share;
  }

  function paintPixel(pixel, at, value, k, steep, scale, colours, lined) {
    const below = k > 0 ? (value - scale.edges[k - 1]) / steep : Infinity;
    const above = k < scale.edges.length ? (scale.edges[k] - value) / steep : Infinity;
    const nearer = Math.min(below, above), edge = below < above ? k - 1 : k;
    const own = colours[k];
    pixel[at] = own[0]; pixel[at + 1] = own[1]; pixel[at + 2] = own[2];
    if (nearer < 0.5) blendInto(pixel, at, colours[below < above ? k - 1 : k + 1], 0.5 - nearer);
    const width = lined[edge];
    if (width && nearer < width) blendInto(pixel, at, INK, Math.min(1, width - nearer) * 0.6);
  }

  /** Draw a refined field on a canvas whose pixels have these degrees. */
  sphercast.paint = (canvas, fine, degrees, scale, lines) => {
    const context = canvas.getContext("2d"), { width, height } = canvas;
    const image = context.createImageData(width, height), pixel = image.data;
    const values = onPixels(fine, degrees), colours = classes(scale);
    const thick = Math.max(0.8, width / 1400);
    const lined = scale.edges.map((edge) => (lines.includes(edge) ? thick : 0));
    for (let i = 0, k = 0; i < values.length; i += 1) {
      const value = values[i], at = 4 * i;
      if (degrees[2 * i] !== degrees[2 * i]) continue;
      pixel[at + 3] = 255;
      if (value !== value) { pixel.set(NOTHING, at); continue; }
      k = classOf(value, scale.edges, k);
      paintPixel(pixel, at, value, k, slope(values, i, width) || 1e-30, scale, colours, lined);
    }
    context.putImageData(image, 0, 0);
  };
})();

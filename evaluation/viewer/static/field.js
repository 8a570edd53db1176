/* One field: decoded, and refined by a cubic that knows the poles and the date line, as the package's maps are. */
"use strict";

(() => {
  const WIDTH = 960; // columns that a refined field has at least, so that colours have smooth edges

  /** Values of a piece, NaN where missing. */
  sphercast.decode = (piece) => {
    const codes = sphercast.codes(piece.data);
    const values = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i += 1) {
      values[i] = codes[i] === sphercast.MISSING ? NaN : codes[i] * piece.scale + piece.offset;
    }
    return { values, rows: piece.shape[0], columns: piece.shape[1] };
  };

  /** Catmull and Rom's cubic through four points, at a share of the way from the second to the third. */
  function weights(share) {
    const s = share;
    return [(-s + 2 * s * s - s * s * s) / 2, (2 - 5 * s * s + 3 * s * s * s) / 2,
      (s + 4 * s * s - 3 * s * s * s) / 2, (-s * s + s * s * s) / 2];
  }

  /** Where rows -2.. and rows+1.. are found: across the pole, where the grid has one, else the last row again. */
  function rowSource(row, rows, grid) {
    const north = row < 0;
    if (!north && row < rows) return { row, across: false };
    if (!grid.periodic || !grid.poles[north ? 0 : 1]) return { row: north ? 0 : rows - 1, across: false };
    const onPole = Math.abs(Math.abs(grid.latitude[north ? 0 : rows - 1]) - 90) < 1e-6 ? 1 : 0;
    return { row: north ? -1 - row + onPole : 2 * rows - 1 - row - onPole, across: true };
  }

  function paddedRow(field, row, grid, sign) {
    const from = rowSource(row, field.rows, grid);
    const padded = new Float32Array(field.columns + 4);
    const half = from.across ? Math.round(field.columns / 2) : 0;
    for (let c = -2; c < field.columns + 2; c += 1) {
      const wrapped = grid.periodic ? (c + half + 2 * field.columns) % field.columns
        : Math.min(field.columns - 1, Math.max(0, c));
      padded[c + 2] = field.values[from.row * field.columns + wrapped] * (from.across ? sign : 1);
    }
    return padded;
  }

  /** Rows from the outermost one to the pole: the next one beyond is its own opposite, so the pole is midway. */
  function beyond(grid, end) {
    const outermost = grid.latitude[end === 0 ? 0 : grid.latitude.length - 1];
    return grid.poles[end] && grid.periodic && Math.abs(Math.abs(outermost) - 90) > 1e-6 ? 0.5 : 0;
  }

  function layout(field, grid) {
    const factor = Math.max(1, Math.min(16, Math.ceil(WIDTH / field.columns)));
    const before = beyond(grid, 0), after = beyond(grid, 1);
    const span = field.rows - 1 + before + after;
    const rows = Math.ceil(span * factor) + 1;
    const columns = grid.periodic ? field.columns * factor : (field.columns - 1) * factor + 1;
    return { factor, before, after, rows, columns, perRow: (rows - 1) / span };
  }

  function alongRow(padded, columns, factor) {
    const out = new Float32Array(columns);
    const table = Array.from({ length: factor }, (_, i) => weights(i / factor));
    for (let c = 0; c < columns; c += 1) {
      const at = Math.floor(c / factor) + 1, w = table[c % factor];
      out[c] = w[0] * padded[at] + w[1] * padded[at + 1] + w[2] * padded[at + 2] + w[3] * (padded[at + 3] ?? padded[at + 2]);
    }
    return out;
  }

  /** The field on a finer grid, nowhere beyond the field's own range; next to missing values the nearest. */
  sphercast.refine = (field, grid, sign) => {
    const { factor, before, after, rows, columns, perRow } = layout(field, grid);
    const padded = new Map(), along = new Map();
    const row = (r) => {
      if (!padded.has(r)) {
        padded.set(r, paddedRow(field, r, grid, sign));
        along.set(r, alongRow(padded.get(r), columns, factor));
      }
      return r;
    };
    const values = new Float32Array(rows * columns), range = rangeOf(field.values);
    for (let r = 0; r < rows; r += 1) {
      const at = r / perRow - before, base = Math.min(Math.floor(at + 1e-9), field.rows), share = Math.max(0, at - base);
      const lines = [-1, 0, 1, 2].map((step) => along.get(row(Math.max(-2, Math.min(field.rows + 1, base + step)))));
      const w = weights(share), up = padded.get(base), down = padded.get(Math.min(base + 1, field.rows + 1));
      blend(values.subarray(r * columns, (r + 1) * columns), lines, w, up, down, share, factor, range);
    }
    return { values, rows, columns, factor, before, after, perRow, grid };
  };

  function rangeOf(values) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
    return [low, high];
  }

  /** One row. Cells that kept to their own four values would not meet at their edges: contours would break there. */
  function blend(out, lines, w, up, down, share, factor, [low, high]) {
    for (let c = 0; c < out.length; c += 1) {
      const k = Math.floor(c / factor) + 2, next = Math.min(k + 1, up.length - 1);
      const a = up[k], b = up[next], d = down[k], e = down[next];
      const value = w[0] * lines[0][c] + w[1] * lines[1][c] + w[2] * lines[2][c] + w[3] * lines[3][c];
      if (value === value) out[c] = Math.min(high, Math.max(low, value));
      else out[c] = share < 0.5 ? (c % factor < factor / 2 ? a : b) : (c % factor < factor / 2 ? d : e);
    }
  }

  /** Fractional row and column of a refined field; NaN outside of a regional grid. */
  sphercast.finePlace = (fine, latitude, longitude) => [fineRow(fine, latitude), fineColumn(fine, longitude)];

  function fineRow(fine, latitude) {
    const place = (coarseRow(fine, latitude) + fine.before) * fine.perRow;
    return place > -1e-3 && place < fine.rows - 1 + 1e-3 ? Math.min(fine.rows - 1, Math.max(0, place)) : NaN;
  }

  function coarseRow(fine, latitude) {
    const rows = fine.grid.latitude, last = rows.length - 1;
    const cap = (share, row) => Math.abs(latitude - rows[row]) / Math.max(1e-9, 90 - Math.abs(rows[row])) * share;
    if (latitude > rows[0]) return fine.before ? -cap(fine.before, 0) : latitude - rows[0] < 1e-6 ? 0 : NaN;
    if (latitude < rows[last]) return fine.after ? last + cap(fine.after, last) : rows[last] - latitude < 1e-6 ? last : NaN;
    let low = 0, high = last;
    while (high - low > 1) { const mid = (low + high) >> 1; if (rows[mid] >= latitude) low = mid; else high = mid; }
    return low + (rows[low] - latitude) / (rows[low] - rows[high]);
  }

  /** Degrees east of the first column, for each; and their step where it is even. */
  function eastward(grid) {
    const from = grid.longitude.map((own) => (((own - grid.longitude[0]) % 360) + 360) % 360);
    if (grid.periodic) from.push(360);
    const step = from[from.length - 1] / (from.length - 1);
    return { from, step: from.every((own, i) => Math.abs(own - i * step) < 1e-3) ? step : 0 };
  }

  const axes = new WeakMap();

  function fineColumn(fine, longitude) {
    if (!axes.has(fine.grid)) axes.set(fine.grid, eastward(fine.grid));
    const { from, step } = axes.get(fine.grid), last = from.length - 1;
    const east = (((longitude - from0(fine)) % 360) + 360) % 360;
    if (east > from[last] + 1e-6) return east > 360 - 1e-6 ? 0 : NaN;
    if (step) return (east / step) * fine.factor;
    let low = 0, high = last;
    while (high - low > 1) { const mid = (low + high) >> 1; if (from[mid] <= east) low = mid; else high = mid; }
    return (low + (east - from[low]) / (from[high] - from[low])) * fine.factor;
  }

  const from0 = (fine) => fine.grid.longitude[0];
  sphercast.fineColumn = fineColumn;

  sphercast.valueAt = (fine, latitude, longitude) =>
    sphercast.sample(fine, ...sphercast.finePlace(fine, latitude, longitude));

  /** Bilinear between refined values, which are close together. */
  sphercast.sample = (fine, row, column) => {
    if (!(row >= 0) || !(column >= 0)) return NaN;
    const r = Math.min(fine.rows - 2, row | 0), c = column | 0, down = row - r, right = column - c;
    const here = c % fine.columns, next = fine.grid.periodic ? (c + 1) % fine.columns : Math.min(c + 1, fine.columns - 1);
    const top = r * fine.columns, under = top + fine.columns, v = fine.values;
    return (v[top + here] * (1 - right) + v[top + next] * right) * (1 - down)
      + (v[under + here] * (1 - right) + v[under + next] * right) * down;
  };
})();

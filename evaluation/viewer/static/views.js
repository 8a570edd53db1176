/* Projections: d3's, set to a size, a centre and a zoom; and the way back from pixels to degrees. */
"use strict";

(() => {
  const REACH = 70; // degrees from the pole on a polar map, as `sphercast plot` has it
  const RADIANS = Math.PI / 180;

  const VIEWS = {
    equirectangular: { title: "Equirectangular", aspect: 2, make: () => d3.geoEquirectangular(), round: false },
    robinson: { title: "Robinson", aspect: 1.97, make: () => d3.geoRobinson(), round: false },
    orthographic: { title: "Globe (orthographic)", aspect: 1.3, make: () => d3.geoOrthographic(), round: true },
    north: { title: "North pole (stereographic)", aspect: 1.3, make: () => polar(), round: true, pole: 90 },
    south: { title: "South pole (stereographic)", aspect: 1.3, make: () => polar(), round: true, pole: -90 },
  };

  function polar() {
    return d3.geoStereographic().clipAngle(REACH);
  }

  /** A view of a size in pixels: `projection`, and `inside(x, y)` which says whether a pixel is on the map. */
  function viewOf(name, width, height, centre, zoom) {
    const kind = VIEWS[name], [longitude, latitude] = centre;
    const projection = kind.make().precision(0.3);
    if (kind.pole) projection.rotate([-longitude, -kind.pole]);
    else projection.rotate([-longitude, kind.round ? -latitude : 0]);
    const margin = Math.max(2, Math.round(width / 300));
    projection.fitExtent([[margin, margin], [width - margin, height - margin]], outline(kind, longitude));
    projection.scale(projection.scale() * zoom).translate([width / 2, height / 2]);
    if (!kind.round) {
      const middle = projection([longitude, latitude]);
      projection.translate([width / 2, height / 2 + (height / 2 - middle[1])]);
    }
    return { name, kind, projection, width, height, longitude, radius: radiusOf(kind, projection) };
  }

  function outline(kind, longitude) {
    if (!kind.pole) return { type: "Sphere" };
    return d3.geoCircle().center([longitude, kind.pole]).radius(REACH - 1e-3)();
  }

  function radiusOf(kind, projection) {
    if (!kind.round) return Infinity;
    return projection.scale() * (kind.pole ? Math.tan((REACH / 2) * RADIANS) : 1);
  }

  /** Longitude and latitude of a pixel, or null off the map. */
  function place(view, x, y) {
    const [cx, cy] = view.projection.translate();
    if (!view.kind.round) {
      const row = rowAt(view, y), turned = row && row.step * (x - cx);
      return row && Math.abs(turned) <= 180 ? [turned + view.longitude, row.latitude] : null;
    }
    if (Math.hypot(x - cx, y - cy) > view.radius) return null;
    const found = view.projection.invert([x, y]);
    return found && found.every(Number.isFinite) ? found : null;
  }

  /** What a row of a cylindrical or pseudocylindrical map is: one latitude, and longitude even along it; or null. */
  function rowAt(view, y) {
    const [cx] = view.projection.translate(), near = view.projection.invert([cx + 1, y]);
    if (!near || !near.every(Number.isFinite) || Math.abs(near[1]) > 90) return null;
    const again = view.projection(near);
    return Math.abs(again[1] - y) < 0.5 ? { latitude: near[1], step: east(near[0] - view.longitude) } : null;
  }

  const east = (degrees) => ((degrees + 540) % 360 + 360) % 360 - 180;

  /** For every pixel its longitude and latitude (Float32, NaN off the map), row by row. */
  function lookup(view) {
    const { width, height } = view;
    const degrees = new Float32Array(2 * width * height).fill(NaN);
    for (let y = 0; y < height; y += 1) {
      if (view.kind.round) roundRow(view, y, degrees);
      else evenRow(view, y, degrees);
    }
    return degrees;
  }

  function roundRow(view, y, degrees) {
    for (let x = 0; x < view.width; x += 1) {
      const found = place(view, x + 0.5, y + 0.5);
      if (found) degrees.set(found, 2 * (y * view.width + x));
    }
  }

  function evenRow(view, y, degrees) {
    const [cx] = view.projection.translate(), row = rowAt(view, y + 0.5);
    if (!row) return;
    for (let x = 0; x < view.width; x += 1) {
      const turned = row.step * (x + 0.5 - cx);
      if (Math.abs(turned) <= 180) degrees.set([turned + view.longitude, row.latitude], 2 * (y * view.width + x));
    }
  }

  sphercast.views = { VIEWS, viewOf, place, lookup };
})();

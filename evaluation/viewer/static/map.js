/* One map: a canvas of colours, a canvas of coasts above it, a mark at the chosen place. */
"use strict";

(() => {
  const { element, views, words } = sphercast;
  const MOST_PIXELS = 900000;

  function lines(coasts, feature) {
    const steps = coasts[feature];
    const unrolled = steps.map((line) => {
      const points = [];
      for (let i = 0, x = 0, y = 0; i < line.length; i += 2) {
        x += line[i];
        y += line[i + 1];
        points.push([x * coasts.unit, y * coasts.unit]);
      }
      return points;
    });
    return { type: "MultiLineString", coordinates: unrolled };
  }

  const shapes = {};

  async function coastlines(detailed) {
    const name = detailed ? "50m" : "110m";
    if (!shapes[name]) {
      const piece = await sphercast.piece(`coasts/${name}`);
      shapes[name] = Object.fromEntries(["coastlines", "borders", "lakes"].map((own) => [own, lines(piece, own)]));
    }
    return shapes[name];
  }

  class Panel {
    constructor(onPoint, onPick) {
      this.title = element("strong");
      this.times = element("span");
      this.field = element("canvas", { "aria-hidden": "true" });
      this.coasts = element("canvas", { "aria-hidden": "true" });
      this.mark = element("i", { class: "mark", hidden: "" });
      this.tip = element("b", { class: "tip", hidden: "" });
      this.stage = element("div", { class: "stage", role: "img", tabindex: "0" },
        this.field, this.coasts, this.mark, this.tip);
      this.wait = element("p", { class: "wait", role: "status" });
      this.frame = element("div", { class: "frame" }, this.stage, this.wait);
      this.key = element("div", { class: "key" });
      this.root = element("figure", { class: "panel" },
        element("figcaption", {}, this.title, this.times), this.frame, this.key);
      this.listen(onPoint, onPick);
    }

    listen(onPoint, onPick) {
      sphercast.drags(this.stage, {
        point: (x, y) => onPoint(this, this.placeAt(x, y)),
        leave: () => onPoint(this, null),
        pick: (x, y) => { const found = this.placeAt(x, y); if (found) onPick(found); },
        drag: (dx, dy) => this.pan(dx, dy),
        zoom: (factor, x, y) => this.zoom(factor, x, y),
      });
    }

    /** Zoom so that what is under the pointer stays there; a globe and a pole about their middle. */
    zoom(factor, x, y) {
      const { projection, zoom } = sphercast.state, place = this.placeAt(x, y);
      const closer = Math.min(12, Math.max(1, zoom * factor));
      if (!place || this.view.kind.round) return sphercast.set({ zoom: closer });
      const { width, height } = this.view;
      let { centre } = sphercast.state;
      for (let time = 0; time < 2; time += 1) { // a row of Robinson's has its own degrees per pixel
        const view = views.viewOf(projection, width, height, centre, closer);
        const there = views.place(view, x * this.ratio, y * this.ratio);
        if (there) centre = [centre[0] + place[1] - there[0], centre[1] + place[0] - there[1]];
      }
      return sphercast.set({ zoom: closer, centre });
    }

    /** Degrees per pixel at the middle of the map, for dragging. */
    pan(dx, dy) {
      const scale = (180 / Math.PI) / (this.view.projection.scale() / this.ratio);
      const [longitude, latitude] = sphercast.state.centre;
      const turned = sphercast.state.projection === "south" ? dx : -dx;
      sphercast.set({ centre: [longitude + turned * scale, latitude + dy * scale] });
    }

    placeAt(x, y) {
      if (!this.view) return null;
      const found = views.place(this.view, x * this.ratio, y * this.ratio);
      return found && [found[1], found[0]];
    }

    /** Make the canvases as large as they are shown, for the state's projection; true if anything changed. */
    resize(width, height) {
      const { projection, centre, zoom } = sphercast.state;
      const dense = Math.min(window.devicePixelRatio || 1, 2);
      this.ratio = Math.min(dense, Math.sqrt(MOST_PIXELS / (width * height)));
      const [w, h] = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
      const signature = [projection, centre, zoom, w, h].join();
      if (signature === this.signature) return false;
      this.signature = signature;
      [this.stage, this.frame].forEach((own) => { own.style.height = `${height}px`; });
      for (const canvas of [this.field, this.coasts]) Object.assign(canvas, { width: w, height: h });
      this.view = views.viewOf(projection, w, h, centre, zoom);
      this.degrees = views.lookup(this.view);
      this.drawCoasts();
      return true;
    }

    async drawCoasts() {
      const { view } = this;
      const detailed = sphercast.state.zoom > 1.6 || this.field.width > 1500;
      const known = await coastlines(detailed).catch((error) => sphercast.say(error.message));
      if (view !== this.view || !known) return;
      const context = this.coasts.getContext("2d"), draw = d3.geoPath(view.projection, context);
      const line = (shape, colour, width) => {
        context.beginPath();
        draw(shape);
        context.lineWidth = width * this.ratio;
        context.strokeStyle = colour;
        context.stroke();
      };
      context.clearRect(0, 0, this.coasts.width, this.coasts.height);
      line(d3.geoGraticule().step([30, 30])(), "rgba(20,32,46,.16)", 0.7);
      if (sphercast.state.zoom > 1.6) line(known.borders, "rgba(20,32,46,.45)", 0.6);
      line(known.lakes, "rgba(20,32,46,.5)", 0.5);
      line(known.coastlines, "rgba(14,24,36,.85)", 0.95);
      const round = view.kind.pole ? d3.geoCircle().center([view.longitude, view.kind.pole]).radius(69.99)() : { type: "Sphere" };
      line(round, "rgba(20,32,46,.6)", 1.2);
    }

    /** Colours of a field on a grid, with its scale and the words about it. */
    draw(shown) {
      this.shown = shown;
      this.wait.textContent = "";
      this.root.classList.remove("waiting");
      this.title.textContent = shown.title;
      this.times.textContent = shown.times;
      sphercast.paint(this.field, shown.fine, this.degrees, shown.scale, shown.lines);
      this.key.replaceChildren(sphercast.legend(shown.scale, shown.units, Math.min(760, this.key.clientWidth || 300)));
      this.stage.setAttribute("aria-label", `Map: ${shown.title}. ${shown.times}. ${shown.extremes}`);
    }

    /** Words over the map; `failed` takes what was there away, so that nothing old passes for new. */
    tell(message, failed) {
      this.wait.textContent = message;
      this.root.classList.toggle("waiting", !failed);
      if (failed) {
        this.shown = null;
        this.field.getContext("2d").clearRect(0, 0, this.field.width, this.field.height);
        this.key.replaceChildren();
        this.stage.setAttribute("aria-label", message);
      }
    }

    value(place) {
      if (!this.shown) return "no value";
      const { scale } = this.shown, step = (scale.edges[scale.edges.length - 1] - scale.edges[0]) / 200;
      const number = words.number(sphercast.valueAt(this.shown.fine, ...place), step);
      return number === "no value" ? number : `${number} ${this.shown.unit}`;
    }

    /** Show a place with a mark, and with its value beside the pointer. */
    showPlace(node, place, text) {
      const at = place && this.view && this.view.projection([place[1], place[0]]);
      const back = at && views.place(this.view, ...at);
      const visible = Boolean(back) && Math.abs(back[1] - place[0]) < 1 && at.every((own) => own >= 0);
      node.hidden = !visible;
      if (!visible) return;
      node.style.left = `${at[0] / this.ratio}px`;
      node.style.top = `${at[1] / this.ratio}px`;
      if (text !== undefined) {
        node.textContent = text;
        node.classList.toggle("west", at[0] > this.field.width * 0.75);
      }
    }
  }

  sphercast.Panel = Panel;
})();

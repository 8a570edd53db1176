/* Mouse, pen and fingers on a map: point, pick, drag, wheel, pinch. */
"use strict";

(() => {
  const STILL = 5; // pixels within which a press is a click and no drag
  const WHEEL = 400; // pixels of the wheel that zoom by e: a notch of a mouse is 100 or so, a touch pad gives a few
  const PIXELS = [1, 33, 400]; // of a unit of the wheel, which is a pixel, a line or a page

  function inside(node, event) {
    const box = node.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  const spread = (pointers) => {
    const [one, other] = [...pointers.values()];
    return Math.hypot(one.x - other.x, one.y - other.y);
  };

  /** By what a turn of the wheel zooms, between a half and twice. */
  sphercast.turned = (event) => Math.min(2, Math.max(0.5, Math.exp(-event.deltaY * PIXELS[event.deltaMode] / WHEEL)));

  const middle = (pointers) => {
    const [one, other] = [...pointers.values()];
    return { clientX: (one.x + other.x) / 2, clientY: (one.y + other.y) / 2 };
  };

  /** Call `on.point(x, y)`, `on.leave()`, `on.pick(x, y)`, `on.drag(dx, dy)` and `on.zoom(factor, x, y)` for a node. */
  sphercast.drags = (node, on) => {
    const down = new Map();
    let moved = false, apart = 0;
    node.addEventListener("pointerdown", (event) => {
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
      moved = down.size > 1;
      if (down.size === 2) apart = spread(down);
    });
    node.addEventListener("pointermove", (event) => {
      const from = down.get(event.pointerId);
      if (!from) return on.point(...inside(node, event));
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!moved && Math.hypot(dx, dy) < STILL) return undefined;
      moved = true;
      node.setPointerCapture(event.pointerId);
      down.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (down.size === 1) return on.drag(dx, dy);
      const wider = spread(down) / apart;
      if (Math.abs(Math.log(wider)) > 0.1) { apart *= wider; on.zoom(wider, ...inside(node, middle(down))); }
      return undefined;
    });
    node.addEventListener("pointerup", (event) => {
      if (down.delete(event.pointerId) && !moved) on.pick(...inside(node, event));
    });
    node.addEventListener("pointercancel", (event) => down.delete(event.pointerId));
    node.addEventListener("pointerleave", (event) => { if (!down.has(event.pointerId)) on.leave(); });
    node.addEventListener("wheel", (event) => {
      const scrolls = sphercast.state.zoom === 1 && (event.deltaY > 0 || window.scrollY > 0);
      if (scrolls && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      on.zoom(sphercast.turned(event), ...inside(node, event));
    }, { passive: false });
  };
})();

/* The time bar: slider, steps, playing. */
"use strict";

(() => {
  const { element, words } = sphercast;
  const by = (id) => document.getElementById(id);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const LABEL = 54; // pixels that the name of a day takes, with a gap
  let playing = false;

  const last = () => sphercast.meta.leads.length - 1;

  sphercast.step = (by_) => {
    const lead = Math.min(last(), Math.max(0, sphercast.state.lead + by_));
    if (lead !== sphercast.state.lead) sphercast.set({ lead });
  };

  function setPlaying(on) {
    playing = on && last() > 0;
    by("play").setAttribute("aria-pressed", String(playing));
    by("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    if (playing) tick();
  }

  /** One step after the map of this one is drawn, so that a slow disk slows it down and nothing piles up. */
  async function tick() {
    await Promise.all([sphercast.drawn(), new Promise((done) => { setTimeout(done, calm.matches ? 1500 : 600); })]);
    if (!playing) return;
    sphercast.set({ lead: sphercast.state.lead === last() ? 0 : sphercast.state.lead + 1 });
    tick();
  }

  sphercast.togglePlay = () => setPlaying(!playing);

  /** Names of days below the slider, as many as there is room for; little of the first day may be there. */
  function ticks() {
    const { leads } = sphercast.meta, days = new Map(), room = by("ticks").clientWidth, far = Math.max(1, last());
    leads.forEach((lead, i) => { if (!days.has(lead.valid.slice(0, 10))) days.set(lead.valid.slice(0, 10), i); });
    const every = Math.ceil((days.size * LABEL) / Math.max(room, 2 * LABEL));
    const chosen = [...days.values()].filter((_, i) => i % every === 0);
    if (chosen.length > 1 && (chosen[1] * room) / far < 1.5 * LABEL) chosen.shift();
    const marks = chosen.map((i, n) => {
      const mark = element("span", {}, `${leads[i].day} ${leads[i].valid.slice(8, 10)}`);
      mark.style.left = `${(100 * i) / far}%`;
      mark.className = i === 0 ? "start" : i === last() ? "end" : "";
      return i === last() && n && ((i - chosen[n - 1]) * room) / far < 1.5 * LABEL ? null : mark;
    });
    by("ticks").replaceChildren(...marks.filter(Boolean));
  }

  sphercast.startTime = () => {
    const slider = by("lead");
    slider.max = String(last());
    slider.addEventListener("input", () => { setPlaying(false); sphercast.set({ lead: Number(slider.value) }); });
    by("play").addEventListener("click", sphercast.togglePlay);
    for (const [id, steps] of [["first", -Infinity], ["back", -1], ["on", 1], ["last", Infinity]]) {
      by(id).addEventListener("click", () => { setPlaying(false); sphercast.step(steps); });
    }
    ticks();
    window.addEventListener("resize", ticks);
    sphercast.fitTime();
  };

  sphercast.fitTime = () => {
    const lead = sphercast.meta.leads[sphercast.state.lead];
    const text = `${lead.day} ${lead.valid}, ${words.hours(lead.hours)}`;
    by("lead").value = String(sphercast.state.lead);
    by("lead").setAttribute("aria-valuetext", text);
    by("valid").setAttribute("aria-live", playing ? "off" : "polite");
    by("valid").replaceChildren(element("strong", {}, `${lead.day} ${lead.valid}`), ` ${words.hours(lead.hours)}`);
    by("first").disabled = by("back").disabled = sphercast.state.lead === 0;
    by("last").disabled = by("on").disabled = sphercast.state.lead === last();
    by("play").disabled = last() === 0;
  };
})();

/* Pieces of the forecast: scripts that call sphercast.receive, from a server or from the disk alike. */
"use strict";

(() => {
  const MOST = 300; // decoded pieces kept
  const kept = new Map();
  const waiting = new Map();

  sphercast.receive = (piece) => {
    const asked = waiting.get(piece.key);
    if (!asked) return;
    waiting.delete(piece.key);
    if (piece.refused) asked.reject(new Error(piece.refused));
    else asked.resolve(piece);
  };

  function fetchScript(key) {
    return new Promise((resolve, reject) => {
      waiting.set(key, { resolve, reject });
      const script = document.createElement("script");
      script.src = `pieces/${key}.js`;
      const fail = () => {
        waiting.delete(key);
        reject(new Error(`The piece ${key} is missing. Is the viewer still running, and the folder whole?`));
      };
      script.onerror = () => { script.remove(); fail(); };
      script.onload = () => { script.remove(); if (waiting.has(key)) fail(); };
      document.head.append(script);
    });
  }

  /** A promise of the piece; what failed is asked for again the next time. */
  sphercast.piece = (key) => {
    if (!kept.has(key)) {
      const promise = fetchScript(key);
      promise.catch(() => kept.delete(key));
      kept.set(key, promise);
      if (kept.size > MOST) kept.delete([...kept.keys()].find((old) => /^(field|series)/.test(old)));
    } else {
      const again = kept.get(key);
      kept.delete(key);
      kept.set(key, again);
    }
    return kept.get(key);
  };

  /** Codes of 16 bits, little-endian, in base64. */
  sphercast.codes = (text) => {
    const raw = atob(text);
    const codes = new Uint16Array(raw.length / 2);
    for (let i = 0; i < codes.length; i += 1) codes[i] = raw.charCodeAt(2 * i) | (raw.charCodeAt(2 * i + 1) << 8);
    return codes;
  };

  sphercast.MISSING = 65535;
})();

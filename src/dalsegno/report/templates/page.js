"use strict";
// The readout under the pointer or the arrow keys; without it the page shows everything else.
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const show = (value) => {
    if (value === 0) return "0";
    const size = Math.abs(value);
    return size >= 1e6 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(4)));
  };
  for (const svg of document.querySelectorAll("svg.chart")) {
    const [x0, x1, left, right] = svg.dataset.x.split(",").map(Number);
    const [low, high, bottom, top, scale] = svg.dataset.y.split(",");
    const [y0, y1, py0, py1] = [low, high, bottom, top].map(Number);
    const curves = [...svg.querySelectorAll("path.line")].map((path) => ({
      name: path.dataset.name || "",
      offset: Number(path.dataset.offset || 0),
      abandoned: path.classList.contains("abandoned"),
      points: path.getAttribute("d").slice(1).split(" ").map((pair) => pair.split(",").map(Number)),
    }));
    if (!curves.length) continue;
    const layer = svg.querySelector(".readout");
    const output = svg.parentNode.querySelector("output");
    const value = (y) => {
      const share = (y - py0) / (py1 - py0);
      return scale === "log" ? y0 * (y1 / y0) ** share : y0 + share * (y1 - y0);
    };
    const place = (x) => x0 + ((x - left) / (right - left)) * (x1 - x0);
    const clear = () => { layer.replaceChildren(); output.textContent = ""; };
    const at = (x, y) => {
      let best = null, nearest = Infinity;
      for (const curve of curves) {
        const points = curve.points;
        let a = 0, b = points.length - 1;
        while (b - a > 1) { const middle = (a + b) >> 1; if (points[middle][0] < x) a = middle; else b = middle; }
        for (const point of [points[a], points[b]]) {
          const far = Math.abs(point[0] - x) * 4 + (y === null ? 0 : Math.abs(point[1] - y)) + (curve.abandoned ? 6 : 0);
          if (far < nearest) { nearest = far; best = { curve, point }; }
        }
      }
      const [px, py] = best.point;
      const line = document.createElementNS(NS, "line");
      for (const [key, one] of Object.entries({ x1: px, x2: px, y1: py1, y2: py0 })) line.setAttribute(key, one);
      const dot = document.createElementNS(NS, "circle");
      for (const [key, one] of Object.entries({ cx: px, cy: py, r: 3.5 })) dot.setAttribute(key, one);
      layer.replaceChildren(line, dot);
      const step = Math.round(place(px) - best.curve.offset);
      const name = best.curve.name ? best.curve.name + ", " : "";
      output.textContent = `${name}step ${step.toLocaleString("en")}: ${show(value(py))}`;
      return px;
    };
    const move = (event) => {
      const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
      at(((event.clientX - box.left) / box.width) * view.width, ((event.clientY - box.top) / box.height) * view.height);
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("pointerleave", clear);
    svg.setAttribute("tabindex", "0");
    let cursor = right;
    svg.addEventListener("focus", () => { cursor = at(cursor, null); });
    svg.addEventListener("blur", clear);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -6, ArrowRight: 6, Home: -1e4, End: 1e4 }[event.key];
      if (!step) return;
      event.preventDefault();
      cursor = Math.min(right, Math.max(left, cursor + step));
      at(cursor, null);
    });
  }
})();

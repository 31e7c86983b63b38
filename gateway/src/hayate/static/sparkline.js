// The gaps between tokens as one small line: what was even is flat, where it stalled stands a peak.

import { texts } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
export const [WIDTH, HEIGHT] = [120, 18];
/** Where there are more gaps than this, the longest of some neighbours stands for them. */
const POINTS = 120;

/** @param {SVGSVGElement} svg @param {number[]} gaps in ms */
export function drawGaps(svg, gaps) {
  svg.toggleAttribute("hidden", gaps.length < 2);
  if (gaps.length < 2) return;
  const each = Math.max(1, Math.ceil(gaps.length / POINTS));
  const points = [];
  for (let n = 0; n < gaps.length; n += each) points.push(Math.max(...gaps.slice(n, n + each)));
  const most = Math.max(...points, 1);
  const x = WIDTH / Math.max(1, points.length - 1);
  const line = points.map((gap, n) => `${(n * x).toFixed(1)},${(HEIGHT - 1 - (gap / most) * (HEIGHT - 2)).toFixed(1)}`).join(" ");
  const polyline = svg.querySelector("polyline") ?? svg.appendChild(document.createElementNS(SVG, "polyline"));
  polyline.setAttribute("points", line);
  const sorted = gaps.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  svg.setAttribute("aria-label", texts.gaps(Math.round(median), Math.round(sorted.at(-1) ?? 0)));
  const title = svg.querySelector("title") ?? svg.appendChild(document.createElementNS(SVG, "title"));
  title.textContent = svg.getAttribute("aria-label");
}

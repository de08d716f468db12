/** Draws the diagrams of the pages: a block of the language `dot` becomes an SVG that has the colors of the page. */
import { instance } from "@viz-js/viz"

const viz = await instance()

const LOOK = {
  graphAttributes: { bgcolor: "transparent", fontname: "Helvetica", pad: 0.1, nodesep: 0.5, ranksep: 0.5 },
  nodeAttributes: { shape: "box", style: "rounded", fontname: "Helvetica", fontsize: 14, margin: "0.2,0.1" },
  edgeAttributes: { fontname: "Helvetica", fontsize: 13, arrowsize: 0.7 }
}

export const diagram = (dot: string): string => {
  const svg = viz
    .renderString(dot, { format: "svg", engine: "dot", ...LOOK })
    .replace(/^[\s\S]*?(?=<svg)/, "")
    .replace(/<svg width="[^"]*" height="[^"]*"/, "<svg")
    .replaceAll("<!--", "<!-- ")
    .replaceAll(/<title>[\s\S]*?<\/title>/g, "")
    .replaceAll('"black"', '"currentColor"')
    .replaceAll(/<text ([^>]*)>/g, '<text fill="currentColor" $1>')
  const [, width = "600"] = /viewBox="[\d.]+ [\d.]+ ([\d.]+)/.exec(svg) ?? []
  return `<div class="diagram" role="img" style="--width: ${Math.round(Number(width))}px" v-pre>${svg}</div>`
}

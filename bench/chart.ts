/** Draws the results: a panel for each workload, with a scale of its own. */
import type { Figures } from "./entry.ts"
import { measured, type Results, type WorkloadRecord } from "./results.ts"

const COLUMNS = 3
const PANEL_WIDTH = 380
const LABEL_WIDTH = 136
const VALUE_WIDTH = 60
const SCALE_WIDTH = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH
const ROW_HEIGHT = 20
const PANEL_HEAD = 30
const PANEL_FOOT = 44
const MARGIN = 24
const HEAD_HEIGHT = 64
const FOOT_LINE_HEIGHT = 16

const INK = "#1f2328"
const FAINT = "#59636e"
const GRID = "#d1d9e0"
const OWN = "#0969da"
const OTHER = "#818b98"
const FLOOR = "#bc4c00"

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const text = (x: number, y: number, content: string, style: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${style}>${escape(content)}</text>`

const line = (x1: number, y1: number, x2: number, y2: number, style: string): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ${style}/>`

interface Scale {
  readonly at: (value: number) => number
  readonly ticks: ReadonlyArray<number>
}

const TICKS_PER_DECADE = [1, 2, 5]
/** The labels of more ticks would overlap. */
const MOST_TICKS = 4

/** Makes a scale for the values, with ticks at the powers of ten, and between them if there is room. */
export const logScale = (values: ReadonlyArray<number>, width: number): Scale => {
  const low = Math.log10(Math.min(...values) / 1.5)
  const high = Math.log10(Math.max(...values) * 1.1)
  const at = (value: number): number => ((Math.log10(value) - low) / (high - low)) * width
  const decades = Array.from({ length: Math.ceil(high) - Math.floor(low) }, (_, index) => Math.floor(low) + index)
  const all = decades.flatMap((decade) => TICKS_PER_DECADE.map((digit) => digit * 10 ** decade))
  const inside = all.filter((tick) => at(tick) >= 0 && at(tick) <= width)
  const powers = inside.filter((tick) => Number.isInteger(Math.log10(tick)))
  return { at, ticks: inside.length <= MOST_TICKS ? inside : powers }
}

const duration = (micros: number): string => {
  const [amount, unit] =
    micros >= 1_000_000 ? [micros / 1_000_000, "s"] : micros >= 1_000 ? [micros / 1_000, "ms"] : [micros, "µs"]
  return `${Number(amount.toPrecision(3))} ${unit}`
}

const bytes = (count: number): string => {
  const [amount, unit] = count >= 1_000_000 ? [count / 1_000_000, "MB"] : [count / 1_000, "kB"]
  return `${Number(amount.toPrecision(3))} ${unit}`
}

/** What a panel shows of each driver: CPU time, but latency at a fixed rate, and memory of what is idle. */
interface Shown {
  readonly value: (figures: Figures) => number
  readonly format: (value: number) => string
  readonly title: (title: string) => string
}

const CPU: Shown = { value: (figures) => figures.cpuMicrosPerQuery, format: duration, title: (title) => title }

const shownOf = ({ task }: WorkloadRecord): Shown => {
  if (task === "load")
    return { value: (figures) => figures.p99Micros, format: duration, title: (title) => `p99: ${title}` }
  if (task !== "idle") return CPU
  // Memory that was free in the process before may even make it less than none.
  return { value: (figures) => Math.max(1, figures.idle?.residentBytes ?? 1), format: bytes, title: (title) => title }
}

const panelHeight = ({ outcomes }: WorkloadRecord): number =>
  PANEL_HEAD + measured(outcomes).length * ROW_HEIGHT + PANEL_FOOT

const MOST_CHARACTERS = 60

const shortened = (title: string): string =>
  title.length <= MOST_CHARACTERS ? title : `${title.slice(0, MOST_CHARACTERS - 1)}…`

const panel = (workload: WorkloadRecord, own: string, left: number, top: number): string => {
  const shown = shownOf(workload)
  const rows = measured(workload.outcomes).map(({ driver, figures }) => ({ driver, value: shown.value(figures) }))
  const title = text(
    left,
    top + 12,
    shortened(shown.title(workload.title)),
    `font-size="12" font-weight="600" fill="${INK}"`
  )
  if (rows.length === 0) return title
  const floor = workload.floor?.kind === "measured" ? workload.floor.cpuMicrosPerQuery : undefined
  const scale = logScale([...rows.map(({ value }) => value), ...(floor === undefined ? [] : [floor])], SCALE_WIDTH)
  const start = left + LABEL_WIDTH
  const first = top + PANEL_HEAD
  const last = first + rows.length * ROW_HEIGHT
  const grid = scale.ticks.flatMap((tick) => [
    line(start + scale.at(tick), first - 4, start + scale.at(tick), last, `stroke="${GRID}"`),
    text(start + scale.at(tick), last + 12, shown.format(tick), `font-size="9" text-anchor="middle" fill="${FAINT}"`)
  ])
  const marks = rows.flatMap(({ driver, value }, at) => {
    const y = first + at * ROW_HEIGHT + ROW_HEIGHT / 2
    const x = start + scale.at(value)
    const isOwn = driver.startsWith(own)
    const colour = isOwn ? OWN : OTHER
    const weight = isOwn ? ` font-weight="600"` : ""
    return [
      text(start - 8, y + 4, driver, `font-size="11" text-anchor="end" fill="${INK}"${weight}`),
      line(start, y, x, y, `stroke="${colour}" stroke-width="3"`),
      `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4.5" fill="${colour}"/>`,
      text(x + 9, y + 4, shown.format(value), `font-size="11" fill="${isOwn ? OWN : INK}"${weight}`)
    ]
  })
  const floorMarks =
    floor === undefined
      ? []
      : [
          line(
            start + scale.at(floor),
            first - 4,
            start + scale.at(floor),
            last,
            `stroke="${FLOOR}" stroke-dasharray="3 3"`
          ),
          text(
            start + scale.at(floor),
            last + 24,
            `pgbench ${duration(floor)}`,
            `font-size="9" text-anchor="middle" fill="${FLOOR}"`
          )
        ]
  return [title, ...grid, ...floorMarks, ...marks].join("\n")
}

/** Draws the client's CPU time per query on logarithmic scales. The first driver of the results is highlighted. */
export const chart = (results: Results): string => {
  const { date, commit, machine, pace, versions, workloads } = results
  const own = workloads[0]?.outcomes[0]?.driver ?? ""
  const panels: Array<string> = []
  let top = HEAD_HEIGHT + MARGIN
  for (let at = 0; at < workloads.length; at += COLUMNS) {
    const row = workloads.slice(at, at + COLUMNS)
    const left = (column: number): number => MARGIN + column * (PANEL_WIDTH + MARGIN)
    panels.push(...row.map((workload, column) => panel(workload, own, left(column), top)))
    top += Math.max(...row.map(panelHeight))
  }
  const foot = [
    `${date.slice(0, 10)}, commit ${commit}; ${machine.cpu}, ${machine.cores} cores shared with the server, ` +
      `${machine.memoryGibibytes} GiB, ${machine.system}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join("; ")
  ]
  const width = MARGIN + COLUMNS * (PANEL_WIDTH + MARGIN)
  const height = top + foot.length * FOOT_LINE_HEIGHT + MARGIN / 2
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(
      MARGIN,
      34,
      "Client CPU per query; p99 at a fixed rate; memory of an idle connection",
      `font-size="20" font-weight="600" fill="${INK}"`
    ),
    text(
      MARGIN,
      56,
      `less is better; a logarithmic scale for each panel; medians of alternating rounds (${pace.rounds} of ` +
        `${pace.secondsPerRound} s for each driver)`,
      `font-size="12" fill="${FAINT}"`
    ),
    ...panels,
    ...foot.map((content, at) =>
      text(MARGIN, top + (at + 1) * FOOT_LINE_HEIGHT, content, `font-size="10" fill="${FAINT}"`)
    ),
    "</svg>",
    ""
  ].join("\n")
}

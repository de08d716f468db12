/**
 * Decides how many rows a stream asks for at a time. Each page costs a round trip, which large pages make rare, but a
 * page has to fit in memory, and how wide the rows are is only known once some have come. The first page is therefore
 * small, and the next ones grow until the pages that a stream holds are about `HELD_BYTES` long.
 */
export interface PageSize {
  /** How many rows to ask for next. */
  readonly rows: number
  /** Takes note of a page: how many rows came, and how many bytes they were on the wire. */
  readonly learn: (rows: number, bytes: number) => void
  /** Called if the stream begins to hold several pages. */
  readonly share: () => void
}

/** Always the same number of rows: the one that the program has named. */
export const fixedSize = (rows: number): PageSize => ({ rows, learn: () => {}, share: () => {} })

const FIRST_ROWS = 250
/** Limits what a page takes if rows are suddenly wider than those before them. */
const GROWTH = 16
/** With less, the server waits too often for the next request; with more, hardly anything is won. */
export const HELD_BYTES = 524_288
/** How many pages share these bytes: the one that is read, and the next one, which waits for a slow reader. */
const SHARES = 2

/** As many rows as make a page of half a mebibyte, or of a share of it, but not more than `mostRows`. */
export const adaptiveSize = (mostRows: number): PageSize => new AdaptiveSize(mostRows)

class AdaptiveSize implements PageSize {
  rows: number
  private readonly mostRows: number
  private pageBytes = HELD_BYTES

  constructor(mostRows: number) {
    this.mostRows = mostRows
    this.rows = Math.min(FIRST_ROWS, mostRows)
  }

  learn(rows: number, bytes: number): void {
    const fitting = Math.floor((rows * this.pageBytes) / Math.max(1, bytes))
    this.rows = Math.max(1, Math.min(fitting, this.rows * GROWTH, this.mostRows))
  }

  share(): void {
    this.pageBytes = HELD_BYTES / SHARES
  }
}

/** What a test and the process with libpq say to each other, each as a line of JSON. */

export interface LibpqQuestion {
  /** A URL, or a string of `key=value`. */
  readonly conninfo: string
  /** Where libpq looks for `~/.postgresql`. */
  readonly home?: string
  /** Run if the connection succeeds. */
  readonly sql?: string
}

export type LibpqAnswer =
  | { readonly error: string }
  | {
      readonly encrypted: boolean
      /** 30000 is protocol 3.0. */
      readonly protocolVersion: number
      /** The first column of the first row. */
      readonly value?: string
    }

/** What the process says when it has loaded the library. */
export const READY = "ready"

/** Hears of the COMMIT of a transaction after which its session is given back. */
export interface LastCommit {
  /** COMMIT has been submitted. Whatever is submitted now shares its write. */
  submitted(): void
  /** COMMIT has failed. */
  failed(): void
}

/** Hears of the COMMIT of a transaction with which the use of its session ends. */
export interface LastCommit {
  /** COMMIT has been submitted. Whatever is submitted now shares its write. */
  submitted(): void
  /** COMMIT has failed. */
  failed(): void
}

/** Who has a session for one transaction, and is told of its COMMIT. */
export interface LastCommit {
  /** It has been submitted: what is submitted now is written with it. */
  submitted(): void
  /** It has failed. */
  failed(): void
}

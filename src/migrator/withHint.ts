/** Puts what to do behind what is wrong. */

export const withHint = (message: string, hint: string | undefined): string =>
  hint === undefined ? message : `${message}\nHINT: ${hint}`

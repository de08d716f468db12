/**
 * Whether a text may start a COPY. While one runs the server reads our next request as its data, so nothing may be
 * written behind it. The word in another place costs no more than a little pipelining.
 */
export const mayCopy = (sql: string): boolean => /\bcopy\b/i.test(sql)

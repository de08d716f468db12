/**
 * Whether a text may start a COPY. While one runs, the server would read the next request as its data, so nothing may
 * be written behind it. If the word means something else, the only loss is a little pipelining.
 */
export const mayCopy = (sql: string): boolean => /\bcopy\b/i.test(sql)

/** The largest message that PostgreSQL takes or sends, and so the largest parameter: its allocator stops there. */
export const MAX_MESSAGE_BYTES = 0x3fffffff

/** Counts of parameters, formats and columns are unsigned 16-bit numbers on the wire. */
export const MAX_COUNT = 0xffff

/** Before the server has authenticated us no message of an honest one comes near this. */
export const MAX_STARTUP_MESSAGE_BYTES = 0x10000

/** Only messages that carry rows, COPY data, descriptions or texts may be longer than this. */
export const MAX_SHORT_MESSAGE_BYTES = 30_000

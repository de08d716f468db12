/** The largest message that PostgreSQL takes or sends, and so the largest parameter: its allocator stops there. */
export const MAX_MESSAGE_BYTES = 0x3fffffff

/** Counts of parameters, formats and columns are unsigned 16-bit numbers on the wire. */
export const MAX_COUNT = 0xffff

/** Before the server has authenticated us no message of an honest one comes near this. */
export const MAX_STARTUP_MESSAGE_BYTES = 0x10000

/** Only messages that carry rows, COPY data, descriptions or texts may be longer than this; each of these has its own. */
export const MAX_SHORT_MESSAGE_BYTES = 30_000

/** PostgreSQL hangs up on a longer startup packet, without a word. Its own length field is not counted. */
export const MAX_STARTUP_PACKET_BYTES = 10_000

/** Statement and portal names are cut by the server after this many bytes (NAMEDATALEN - 1). */
export const MAX_NAME_BYTES = 63

/** Of a longer error the beginning is kept: nobody reads on, and to make text of it all would keep the event loop. */
export const MAX_ERROR_BYTES = 1_048_576

/** The same of a notice; more of these may wait for a reader. */
export const MAX_NOTICE_BYTES = 65_536

/** The limits on sizes and counts on the wire: PostgreSQL's own, and this client's where the protocol sets none. */

/** The largest message that PostgreSQL accepts or sends, and so the largest parameter: its allocator has this limit. */
export const MAX_MESSAGE_BYTES = 0x3fffffff

/** Counts of parameters, formats and columns are unsigned 16-bit numbers on the wire. */
export const MAX_COUNT = 0xffff

/** Before authentication, no legitimate message of a server comes near this length. */
export const MAX_STARTUP_MESSAGE_BYTES = 0x10000

/** Only messages that carry rows, COPY data, descriptions or texts may be longer than this; each has its own limit. */
export const MAX_SHORT_MESSAGE_BYTES = 30_000

/**
 * PostgreSQL closes the connection without an error if the startup packet is longer. The length field itself is not
 * counted.
 */
export const MAX_STARTUP_PACKET_BYTES = 10_000

/** The secret of a session, which a CancelRequest has to show: 4 bytes in protocol 3.0, and up to 256 since 3.2. */
export const MIN_SECRET_BYTES = 4
export const MAX_SECRET_BYTES = 256

/** The server truncates names of statements and portals to this many bytes (NAMEDATALEN - 1). */
export const MAX_NAME_BYTES = 63

/**
 * Only the beginning of a longer error is kept. No one reads further, and decoding all of it would block the event
 * loop.
 */
export const MAX_ERROR_BYTES = 1_048_576

/**
 * Only the beginning of a longer notice is kept. The limit is lower than for errors because many notices may wait for a
 * reader.
 */
export const MAX_NOTICE_BYTES = 65_536

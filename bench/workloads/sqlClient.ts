/** Measures what programs and modules of Effect do through `SqlClient`. */
import { onePlusOne } from "./onePlusOne.ts"
import { transaction } from "./pool.ts"
import { primaryKey } from "./primaryKey.ts"
import { CONNECTIONS, fetching, type Workload } from "./workload.ts"

const throughPool = { through: "pool", connections: CONNECTIONS, fibers: CONNECTIONS } as const

const hundredRows: Workload = {
  name: "hundred-rows",
  title: "100 rows of 4 columns",
  setup: primaryKey.setup,
  ...fetching("SELECT id, name, balance, opened FROM account WHERE id <= $1", 100)
}

/** Measures how the runners of effect/cluster ask for messages: with a text that holds its values and is new each time. */
const poll: Workload = {
  name: "poll",
  title: "a text with literals, new each time, that finds no message",
  setup: [
    `CREATE TABLE message (
       id int8 PRIMARY KEY, message_id varchar(255), shard_id varchar(50) NOT NULL, entity_id varchar(255) NOT NULL,
       kind int4 NOT NULL, payload text, processed bool NOT NULL, last_read timestamp, deliver_at int8
     )`,
    `INSERT INTO message
     SELECT i, NULL, 'default:' || i % 300, 'entity ' || i, 0, NULL, true, NULL, NULL FROM generate_series(1, 1000) AS i`,
    `CREATE INDEX ON message (shard_id, processed)`,
    `ANALYZE message`
  ],
  task: {
    kind: "literals",
    sql: `SELECT m.* FROM message AS m WHERE m.shard_id IN ('default:#', 'default:#', 'default:#') AND m.processed = false
          AND (m.deliver_at IS NULL OR m.deliver_at <= #) ORDER BY m.id`,
    rows: 0
  },
  ...throughPool
}

export const sqlClientWorkloads: ReadonlyArray<Workload> = [
  { ...onePlusOne, ...throughPool },
  { ...primaryKey, ...throughPool },
  { ...hundredRows, ...throughPool },
  transaction,
  poll
]

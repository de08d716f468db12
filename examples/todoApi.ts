/** A todo API: the model, its repository and the HTTP API share one declaration of what a todo is. */
import "./support/databaseUrl.ts"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, DateTime, Effect, Layer, Schema, String } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiClient, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Model } from "effect/schema"
import { SqlClient, type SqlError, SqlModel, SqlSchema } from "effect/sql"
import { PgSqlClient } from "../src/index.ts"

class Todo extends Model.Class<Todo>("Todo")({
  // The database makes the id. `update` and `delete` find the row by it.
  id: Model.Field({ select: Schema.Int, update: Schema.Int, json: Schema.Int }),
  title: Schema.NonEmptyString,
  done: Model.Field({
    select: Schema.Boolean,
    update: Schema.Boolean,
    json: Schema.Boolean,
    jsonUpdate: Schema.Boolean
  }),
  createdAt: Model.DateTimeInsertFromDate
}) {}

class TodoNotFound extends Schema.TaggedError<TodoNotFound>()(
  "TodoNotFound",
  { id: Schema.Int },
  { httpApiStatus: 404 }
) {}

const params = { id: Schema.Int }

class Todos extends HttpApiGroup.make("todos")
  .add(
    HttpApiEndpoint.get("list", "/", { success: Schema.Array(Todo.json) }),
    HttpApiEndpoint.post("create", "/", { payload: Todo.jsonCreate, success: Todo.json }),
    HttpApiEndpoint.put("update", "/:id", {
      params,
      payload: Todo.jsonUpdate,
      success: Todo.json,
      error: TodoNotFound
    }),
    HttpApiEndpoint.delete("remove", "/:id", { params, success: HttpApiSchema.NoContent, error: TodoNotFound })
  )
  .prefix("/todos") {}

class Api extends HttpApi.make("todo-api").add(Todos) {}

const TodosLive = HttpApiBuilder.group(
  Api,
  "todos",
  Effect.fn(function* (handlers) {
    const sql = yield* SqlClient.SqlClient
    const todos = yield* SqlModel.makeRepository(Todo, { tableName: "todos", idColumn: "id", spanPrefix: "Todos" })
    const list = SqlSchema.findAll({
      Request: Schema.Void,
      Result: Todo,
      execute: () => sql`SELECT * FROM todos ORDER BY id`
    })
    const locked = SqlSchema.findOne({
      Request: Schema.Int,
      Result: Todo,
      execute: (id) => sql`SELECT * FROM todos WHERE id = ${id} FOR UPDATE`
    })
    /** Changes a todo that exists, and that nobody else changes before the commit. */
    const changing = <A>(id: number, change: Effect.Effect<A, SqlError.SqlError | Schema.SchemaError>) =>
      Effect.andThen(locked(id), change).pipe(
        sql.withTransaction,
        Effect.catchTags({
          NoSuchElementError: () => Effect.fail(new TodoNotFound({ id })),
          SqlError: Effect.die,
          SchemaError: Effect.die
        })
      )

    // What the API does not declare, such as a SqlError, is a defect: the client gets a status of 500.
    return handlers.handleAll({
      list: () => Effect.orDie(list()),
      create: ({ payload }) => Todo.insert.makeEffect(payload).pipe(Effect.flatMap(todos.insert), Effect.orDie),
      update: ({ params: { id }, payload }) => changing(id, todos.update({ ...payload, id })),
      remove: ({ params: { id } }) => changing(id, todos.delete(id))
    })
  })
)

const createTable = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE todos (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      title text NOT NULL,
      done boolean NOT NULL DEFAULT false,
      created_at timestamptz NOT NULL
    )
  `
})

/** What a user of the API does. */
const program = Effect.gen(function* () {
  const { todos } = yield* HttpApiClient.make(Api)

  const milk = yield* todos.create({ payload: { title: "buy milk" } })
  const letter = yield* todos.create({ payload: { title: "write a letter" } })
  yield* Console.log(`todo ${milk.id} is "${milk.title}", and todo ${letter.id} is "${letter.title}"`)

  yield* todos.update({ params: { id: letter.id }, payload: { title: "write to Ada", done: true } })
  yield* todos.remove({ params: { id: milk.id } })
  yield* Effect.catchTag(todos.remove({ params: { id: milk.id } }), "TodoNotFound", ({ id }) =>
    Console.log(`there is no todo ${id} any more`)
  )
  for (const { createdAt, done, id, title } of yield* todos.list()) {
    yield* Console.log(`todo ${id} of ${DateTime.formatIso(createdAt)}: ${title}, ${done ? "done" : "open"}`)
  }
})

const Database = PgSqlClient.layerConfig({
  url: Config.Redacted("DATABASE_URL"),
  transformQueryNames: String.camelToSnake,
  transformResultNames: String.snakeToCamel
})

// A server on a free port, and an HTTP client that knows it.
const Server = HttpRouter.serve(HttpApiBuilder.layer(Api).pipe(Layer.provide(TodosLive)), {
  disableListenLog: true,
  disableLogger: true
}).pipe(
  Layer.provide(Layer.effectDiscard(createTable)),
  Layer.provideMerge(NodeHttpServer.layerTest),
  Layer.provide(Database)
)

program.pipe(Effect.provide(Server), NodeRuntime.runMain)

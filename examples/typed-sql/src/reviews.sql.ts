/** The statements of reviews.sql as functions. `effectpg types` has written this file; do not change it. */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as PgConnection from "effectpg/PgConnection"
import type * as PgError from "effectpg/PgError"

export interface ReviewsOfRow { readonly id: number; readonly stars: number; readonly body: string | null; readonly customer_id: number | null }

const reviewsOfSql = "SELECT id, stars, body, customer_id FROM reviews WHERE book_id = $1 ORDER BY id"

export const reviewsOf = (pg: PgConnection.Queryable, bookId: number | null): Effect.Effect<ReadonlyArray<ReviewsOfRow>, PgError.PgError> =>
  pg.fetch<ReviewsOfRow>(reviewsOfSql, [bookId])

export interface ReviewByIdRow { readonly stars: number; readonly body: string | null; readonly email: string | null }

const reviewByIdSql = "SELECT r.stars, r.body, c.email\nFROM reviews AS r\nLEFT JOIN customers AS c ON c.id = r.customer_id\nWHERE r.id = $1"

export const reviewById = (pg: PgConnection.Queryable, id: number | null): Effect.Effect<Option.Option<ReviewByIdRow>, PgError.PgError> =>
  pg.fetchRow<ReviewByIdRow>(reviewByIdSql, [id])

const averageStarsSql = "SELECT avg(stars) AS average FROM reviews WHERE book_id = $1"

export const averageStars = (pg: PgConnection.Queryable, bookId: number | null): Effect.Effect<Option.Option<string | null>, PgError.PgError> =>
  pg.fetchValue<string | null>(averageStarsSql, [bookId])

const removeReviewSql = "DELETE FROM reviews WHERE id = $1"

export const removeReview = (pg: PgConnection.Queryable, id: number | null): Effect.Effect<PgConnection.CommandResult, PgError.PgError> =>
  pg.execute(removeReviewSql, [id])

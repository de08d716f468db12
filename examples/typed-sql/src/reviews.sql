-- name: reviewsOf
SELECT id, stars, body, customer_id FROM reviews WHERE book_id = $1 ORDER BY id;

-- name: reviewById :first
SELECT r.stars, r.body, c.email
FROM reviews AS r
LEFT JOIN customers AS c ON c.id = r.customer_id
WHERE r.id = $1;

-- name: averageStars :value
SELECT avg(stars) AS average FROM reviews WHERE book_id = $1;

-- name: removeReview :execute
DELETE FROM reviews WHERE id = $1;

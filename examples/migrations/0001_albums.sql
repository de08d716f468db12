CREATE TABLE albums (id int4 PRIMARY KEY, title text NOT NULL, released date);

INSERT INTO albums VALUES (1, 'Kind of Blue', '1959-08-17'), (2, 'A Love Supreme', '1965-01-01');

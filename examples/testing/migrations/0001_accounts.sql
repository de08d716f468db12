CREATE TABLE accounts (
  owner text PRIMARY KEY,
  balance numeric NOT NULL CHECK (balance >= 0)
);

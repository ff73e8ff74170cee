-- Networks and ranges carry variables, too; secret ones lie sealed, and their key elsewhere.

ALTER TABLE networks ADD COLUMN variables TEXT NOT NULL DEFAULT '{}';
ALTER TABLE ranges ADD COLUMN variables TEXT NOT NULL DEFAULT '{}';
ALTER TABLE distros ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';
ALTER TABLE profiles ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';
ALTER TABLE networks ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';
ALTER TABLE ranges ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';
ALTER TABLE machines ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';

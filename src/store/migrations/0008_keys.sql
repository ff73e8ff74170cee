-- Activation keys in stacks, with all that they give; machines know their groups, and the keys that count them.

ALTER TABLE activation_keys ADD COLUMN packages TEXT NOT NULL DEFAULT '[]';
ALTER TABLE activation_keys ADD COLUMN variables TEXT NOT NULL DEFAULT '{}';
ALTER TABLE activation_keys ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';
ALTER TABLE activation_keys ADD COLUMN addresses TEXT NOT NULL DEFAULT '[]';
ALTER TABLE activation_keys ADD COLUMN is_default BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activation_keys ADD COLUMN profile TEXT;
ALTER TABLE activation_keys ADD COLUMN reinstalls BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activation_keys ADD COLUMN join_hash TEXT;

-- Names with commas between them. The column activation_key, which held one, stays empty from here on: SQLite can not
-- drop a column that refers to another table.
ALTER TABLE profiles ADD COLUMN activation_keys TEXT NOT NULL DEFAULT '';
UPDATE profiles SET activation_keys = activation_key, activation_key = NULL WHERE activation_key IS NOT NULL;
ALTER TABLE machines ADD COLUMN activation_keys TEXT NOT NULL DEFAULT '';
UPDATE machines SET activation_keys = activation_key, activation_key = NULL WHERE activation_key IS NOT NULL;
ALTER TABLE machines ADD COLUMN member_of TEXT NOT NULL DEFAULT '';
ALTER TABLE machines ADD COLUMN joined TEXT NOT NULL DEFAULT '';

-- Of whom it is still known with which key they registered. What was counted stays counted.
UPDATE machines SET joined = COALESCE((SELECT MAX(install_keys.activation_key) FROM install_keys
    WHERE install_keys.machine = machines.id AND install_keys.spent_at IS NOT NULL), '') WHERE credential IS NOT NULL;

-- Keys that lead an installed system back to its record, once.
CREATE TABLE reactivations (
    hash TEXT PRIMARY KEY NOT NULL,
    machine TEXT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    expires_at BIGINT NOT NULL,
    spent_at BIGINT
);
CREATE INDEX reactivations_machine ON reactivations (machine);

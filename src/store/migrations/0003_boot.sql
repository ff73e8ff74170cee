-- Which loader a machine is given, and which way it takes to its own disk. Networks say it in their `dhcp`.

ALTER TABLE machines ADD COLUMN loader TEXT;
ALTER TABLE machines ADD COLUMN disk_boot TEXT;
ALTER TABLE profiles ADD COLUMN loader TEXT;
ALTER TABLE profiles ADD COLUMN disk_boot TEXT;
ALTER TABLE distros ADD COLUMN loader TEXT;

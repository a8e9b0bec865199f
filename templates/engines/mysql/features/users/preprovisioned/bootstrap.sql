-- Makes two database users that can do the same, and the one that may set their
-- passwords. Run it as a user that may create users and grant what stands below,
-- such as RDS's master user; it need not have SUPER:
--
--   mysql -h HOST -u ADMIN -p --init-command="SET @user_a = 'orders_a', @user_b =
--     'orders_b', @rotator = 'orders_rotator', @database = 'orders'" < bootstrap.sql
--
-- Run it once for every database that the users work in. It may be run again at
-- any time: it makes what is absent and takes nothing away. "make preflight"
-- lists any further right that only one of the users has; grant it to both.
--
-- A user that exists keeps its password, its host part and its rights. One that
-- is made has a password that no one knows. So no password stands in a file;
-- set those of the rotator and of the user that the secret names afterwards.

SET SESSION sql_mode = 'STRICT_ALL_TABLES';

-- SQL alone cannot stop by itself; a statement that is none does.
SET @statement = IF(COALESCE(@user_a, '') <> '' AND COALESCE(@user_b, '') <> '' AND COALESCE(@rotator, '') <> '' AND COALESCE(@database, '') <> '',
    'DO 0', 'usage: see the first lines of bootstrap.sql, the users and the database must be named');
PREPARE statement FROM @statement;
EXECUTE statement;

-- 1. A user that exists decides how the other logs in, or else @host does and
-- the server's usual plugin.

SET @accounts = (SELECT COUNT(DISTINCT host) FROM mysql.user WHERE user IN (@user_a, @user_b));
SET @statement = IF(@accounts < 2, 'DO 0', 'the users are to have one account each, from the same host: see mysql.user');
PREPARE statement FROM @statement;
EXECUTE statement;
SET @host = COALESCE((SELECT MAX(host) FROM mysql.user WHERE user IN (@user_a, @user_b)), @host, '%');
SET @plugin = COALESCE((SELECT MAX(plugin) FROM mysql.user WHERE user = @user_a), (SELECT MAX(plugin) FROM mysql.user WHERE user = @user_b));
SET @a = CONCAT(QUOTE(@user_a), '@', QUOTE(@host)), @b = CONCAT(QUOTE(@user_b), '@', QUOTE(@host)), @r = CONCAT(QUOTE(@rotator), '@''%''');

-- 2. The users, each only if it is absent. Of what makes the passwords nothing is
-- kept, and the server logs none of them.

SET @identified = CONCAT(' IDENTIFIED ', IF(@plugin IS NULL, '', CONCAT('WITH ', QUOTE(@plugin))), ' BY ''');
SET @statement = CONCAT('CREATE USER IF NOT EXISTS ', @a, @identified, HEX(RANDOM_BYTES(15)), '-a''');
PREPARE statement FROM @statement;
EXECUTE statement;
SET @statement = CONCAT('CREATE USER IF NOT EXISTS ', @b, @identified, HEX(RANDOM_BYTES(15)), '-a''');
PREPARE statement FROM @statement;
EXECUTE statement;
SET @statement = CONCAT('CREATE USER IF NOT EXISTS ', @r, ' IDENTIFIED BY ''', HEX(RANDOM_BYTES(15)), '-a'' REQUIRE SSL');
PREPARE statement FROM @statement;
EXECUTE statement;

-- 3. Both may do the same in the database, also with what the other makes. In the
-- name, _ and % stand for other characters, unless partial revokes are in use.

SET @partial = 0 /*!80016 + @@partial_revokes */;
SET @on = CONCAT('`', REPLACE(IF(@partial, @database, REPLACE(REPLACE(@database, '_', '\_'), '%', '\%')), '`', '``'), '`.*');
SET @rights = COALESCE(@rights, 'SELECT, INSERT, UPDATE, DELETE, EXECUTE, CREATE, ALTER, DROP, INDEX, REFERENCES, TRIGGER, EVENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE TEMPORARY TABLES, LOCK TABLES');
SET @statement = CONCAT('GRANT ', @rights, ' ON ', @on, ' TO ', @a, ', ', @b);
PREPARE statement FROM @statement;
EXECUTE statement;

-- 4. The rotator sets passwords and reads who may do what. MySQL knows no narrower
-- right than to change users, which reaches all that have not SYSTEM_USER.

SET @statement = CONCAT('GRANT CREATE USER ON *.* TO ', @r);
PREPARE statement FROM @statement;
EXECUTE statement;
SET @statement = CONCAT('GRANT SELECT ON mysql.* TO ', @r);
PREPARE statement FROM @statement;
EXECUTE statement;
DEALLOCATE PREPARE statement;
SET @statement = NULL;

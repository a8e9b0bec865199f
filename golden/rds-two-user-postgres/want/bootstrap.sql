-- Makes two database users that take turns, the role that both act as, and the
-- role that may set their passwords. Run it as a role with CREATEROLE that owns
-- the database; it need not be a superuser:
--
--   psql -X -v owner=orders_owner -v user_a=orders_a -v user_b=orders_b \
--        -v rotator=orders_rotator -f bootstrap.sql
--
-- Run it in every database in which the two users have objects (-v schema=...
-- names the schema they create things in, public if not given). It may be run
-- again at any time: it makes what is absent and moves what the users have made
-- since. Run it again when a rotation fails with the code "parity".
--
-- Applications keep working meanwhile: the users become members of the owner
-- role before their objects become its. A table that stays in use for more than
-- five seconds ends the script; run it again then. Sessions that are open act as
-- their own user until they end: let applications connect anew, and run the
-- script once more if one of them has created anything in between.
--
-- No password is set here, so that none stands in a file or in a log. Set them
-- in psql:  \password orders_rotator  and, for the user that the secret names,
-- \password orders_a

\set ON_ERROR_STOP on
\set QUIET on
SELECT NOT (:{?owner} AND :{?user_a} AND :{?user_b} AND :{?rotator}) AS unnamed \gset
\if :unnamed
    \warn 'usage: psql -X -v owner=NAME -v user_a=NAME -v user_b=NAME -v rotator=NAME [-v schema=NAME] -f bootstrap.sql'
    DO $$ BEGIN RAISE 'the four roles must be named'; END $$;
\endif
\if :{?schema}
\else
    \set schema public
\endif

-- What the users may have created must not stand in for the server's own.
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;
SET lock_timeout = '5s';

-- 1. The roles, each only if it is absent. Nobody logs in as the owner.

SELECT format('CREATE ROLE %I %s', name, traits)
FROM (VALUES (:'owner', 'NOLOGIN'), (:'user_a', 'LOGIN'), (:'user_b', 'LOGIN'),
             (:'rotator', 'LOGIN CREATEROLE')) AS wanted (name, traits)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- 2. What the owner role needs to stand for both users. Whoever hands objects to
-- it must be a member of it.

SELECT format('GRANT %I TO CURRENT_USER', :'owner')
WHERE NOT pg_has_role(:'owner', 'USAGE') \gexec
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO :"owner";
GRANT CONNECT ON DATABASE :"DBNAME" TO :"rotator";
GRANT USAGE, CREATE ON SCHEMA :"schema" TO :"owner";

-- 3. What the users own in this database becomes the owner's. Whoever gives away
-- somebody's objects must be a member of him, and is one no longer than it takes.

SELECT string_agg(quote_ident(name), ', ') AS others
FROM unnest(ARRAY[:'user_a', :'user_b']) AS name
WHERE NOT pg_has_role(name, 'USAGE') \gset

BEGIN;
GRANT :"owner" TO :"user_a", :"user_b";
\if :{?others}
    GRANT :others TO CURRENT_USER;
\endif
REASSIGN OWNED BY :"user_a", :"user_b" TO :"owner";
\if :{?others}
    REVOKE :others FROM CURRENT_USER;
\endif
COMMIT;

-- 4. Nothing may be left that only one of the users can do: a session that begins
-- as the owner role would lack it.

SELECT string_agg(format('    %I %s %s', r.rolname,
           CASE d.deptype WHEN 'o' THEN 'owns' WHEN 'a' THEN 'holds privileges on' ELSE 'is named by' END,
           CASE WHEN d.dbid = 0 OR o.datname = current_database()
                THEN pg_describe_object(d.classid, d.objid, d.objsubid)
                ELSE format('something in the database %I', o.datname) END), E'\n') AS leftovers
FROM pg_shdepend d
JOIN pg_roles r ON r.oid = d.refobjid
LEFT JOIN pg_database o ON o.oid = d.dbid
WHERE d.refclassid = 'pg_authid'::regclass
  AND d.classid <> 'pg_auth_members'::regclass
  AND d.deptype IN ('o', 'a', 'r')
  AND r.rolname IN (:'user_a', :'user_b') \gset

\if :{?leftovers}
    \warn 'GRANT to the owner role what the users hold here, and REVOKE it from them;'
    \warn 'for other databases, run this script there. Then run it here again.'
    \warn :leftovers
    DO $$ BEGIN RAISE 'the users have something that the owner role has not'; END $$;
\endif

-- 5. From now on sessions of both begin as the owner role, and what they make is
-- its. Last, because from here on a rotation takes the users for complete.

ALTER ROLE :"user_a" SET role = :'owner';
ALTER ROLE :"user_b" SET role = :'owner';

-- 6. The rotator may set the two passwords. From PostgreSQL 16 on that is all: it
-- administers the two users, has none of their rights and cannot act as them.
-- Before 16, CREATEROLE alone reaches every role that is no superuser. With
-- rds.restrict_password_commands it also needs to be a member of rds_password.

SELECT format('GRANT %I TO %I WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', name, :'rotator')
FROM unnest(ARRAY[:'user_a', :'user_b']) AS name
WHERE current_setting('server_version_num')::int >= 160000 \gexec

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

-- Objects that the users created must not shadow the server's own.
SET search_path = pg_catalog, pg_temp;
SET standard_conforming_strings = on;
SET client_min_messages = warning;
SET lock_timeout = '5s';

-- 1. The script refuses before it changes anything. The objects that it lists first
-- depend on the user that logged in or that it acts as, and that changes. Once you
-- have looked at them, -v seen=1 lets the script go on.

\if :{?seen}
\else
    SELECT string_agg(DISTINCT '    ' || pg_describe_object(o.class, o.oid, 0), E'\n') AS by_user
    FROM (SELECT tableoid, oid, polqual::text FROM pg_policy
          UNION ALL SELECT tableoid, oid, polwithcheck::text FROM pg_policy
          UNION ALL SELECT tableoid, oid, adbin::text FROM pg_attrdef
          UNION ALL SELECT tableoid, oid, tgqual::text FROM pg_trigger
          UNION ALL SELECT tableoid, oid, ev_action::text FROM pg_rewrite WHERE oid >= 16384
          UNION ALL SELECT tableoid, oid, format('%s %s', CASE WHEN prosrc ~* '\m(current_user|session_user|current_role)\M'
                                                          THEN '{SQLVALUEFUNCTION :op 10 ' END, prosqlbody) FROM pg_proc p
              WHERE oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = p.tableoid AND d.objid = p.oid AND d.deptype = 'e')
         ) AS o (class, oid, tree)
    -- current_role, current_user, user, session_user, as the server keeps them
    WHERE o.tree ~ '\{SQLVALUEFUNCTION :op (9|10|11|12) ' \gset
    \if :{?by_user}
        \warn 'These ask who the user is. From now on current_user is the owner role for both users, and session_user is the'
        \warn 'one whose turn it is: change them, or go on with -v seen=1.'
        \warn :by_user
        DO $$ BEGIN RAISE 'nothing was changed: objects depend on the name of the user'; END $$;
    \endif
\endif

SELECT string_agg(format('    %s: %s', pg_describe_object(d.classid, d.objid, 0), c.cure), E'\n') AS immovable
FROM pg_shdepend d
JOIN pg_roles r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o'
JOIN pg_database o ON o.oid = d.dbid AND o.datname = current_database()
LEFT JOIN pg_publication p ON d.classid = 'pg_publication'::regclass AND p.oid = d.objid
CROSS JOIN LATERAL (VALUES
    ('pg_publication'::regclass, p.puballtables, 'let a superuser own it, or name its tables one by one'),
    ('pg_subscription'::regclass, true, 'let a superuser own it'),
    ('pg_event_trigger'::regclass, true, 'let a superuser own it'),
    ('pg_foreign_data_wrapper'::regclass, true, 'let a superuser own it')) AS c (class, so, cure)
WHERE r.rolname IN (:'user_a', :'user_b') AND c.class = d.classid AND c.so \gset
\if :{?immovable}
    \warn 'An owner role cannot own these, since it has no log-in and is no superuser (ALTER ... OWNER TO):'
    \warn :immovable
    DO $$ BEGIN RAISE 'nothing was changed: the users own what cannot be moved'; END $$;
\endif

-- 2. The roles, each only if it is absent. The owner has no log-in.

SELECT format('CREATE ROLE %I %s', name, traits)
FROM (VALUES (:'owner', 'NOLOGIN'), (:'user_a', 'LOGIN'), (:'user_b', 'LOGIN'),
             (:'rotator', 'LOGIN CREATEROLE')) AS wanted (name, traits)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- 3. The rights that the owner role needs to stand for both users. A user that gives
-- objects to it must be a member of it.

SELECT format('GRANT %I TO CURRENT_USER', :'owner')
WHERE NOT pg_has_role(:'owner', 'USAGE') \gexec
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO :"owner";
GRANT CONNECT ON DATABASE :"DBNAME" TO :"rotator";

-- 4. The owner takes over all that the users own in this database. To give away a
-- user's objects one must be a member of that user, and is one no longer than it takes.
-- The owner role must be able to create things where it gets them.

SELECT string_agg(quote_ident(name), ', ') AS others
FROM unnest(ARRAY[:'user_a', :'user_b']) AS name
WHERE NOT pg_has_role(name, 'USAGE') \gset

BEGIN;
GRANT :"owner" TO :"user_a", :"user_b";
\if :{?others}
    GRANT :others TO CURRENT_USER;
\endif
SELECT format('ALTER SCHEMA %I OWNER TO %I', n.nspname, :'owner')
FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
WHERE r.rolname IN (:'user_a', :'user_b') \gexec
SELECT DISTINCT format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', n.nspname, :'owner')
FROM pg_namespace n
WHERE NOT (has_schema_privilege(:'owner', n.oid, 'USAGE') AND has_schema_privilege(:'owner', n.oid, 'CREATE')) AND (n.nspname = :'schema' OR EXISTS (
    SELECT FROM pg_shdepend d
    JOIN pg_roles r ON r.oid = d.refobjid AND r.rolname IN (:'user_a', :'user_b')
    JOIN pg_database o ON o.oid = d.dbid AND o.datname = current_database()
    CROSS JOIN pg_identify_object(d.classid, d.objid, 0) AS i
    WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND i.schema = n.nspname)) \gexec
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'owner')
WHERE EXISTS (SELECT FROM pg_publication p JOIN pg_roles r ON r.oid = p.pubowner WHERE r.rolname IN (:'user_a', :'user_b')) \gexec
REASSIGN OWNED BY :"user_a", :"user_b" TO :"owner";
\if :{?others}
    REVOKE :others FROM CURRENT_USER;
\endif
COMMIT;

-- 5. Nothing may be left that only one of the users can do: a session that begins
-- as the owner role would lack it. The script prints statements that
-- move the rest, for the grantor or a superuser to run.

WITH
users AS (SELECT oid, rolname FROM pg_roles WHERE rolname IN (:'user_a', :'user_b')),
acls (what, part, acl) AS (
    SELECT format('%s %s', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, oid::regclass), '', relacl FROM pg_class
    UNION ALL SELECT format('TABLE %s', attrelid::regclass), format(' (%I)', attname), attacl FROM pg_attribute
    UNION ALL SELECT format('SCHEMA %I', nspname), '', nspacl FROM pg_namespace
    UNION ALL SELECT format('DATABASE %I', datname), '', datacl FROM pg_database
    UNION ALL SELECT format('%s %s', CASE prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, oid::regprocedure), '', proacl FROM pg_proc
    UNION ALL SELECT format('TYPE %s', format_type(oid, NULL)), '', typacl FROM pg_type
    UNION ALL SELECT format('LANGUAGE %I', lanname), '', lanacl FROM pg_language
    UNION ALL SELECT format('FOREIGN DATA WRAPPER %I', fdwname), '', fdwacl FROM pg_foreign_data_wrapper
    UNION ALL SELECT format('FOREIGN SERVER %I', srvname), '', srvacl FROM pg_foreign_server
    UNION ALL SELECT format('TABLESPACE %I', spcname), '', spcacl FROM pg_tablespace
    UNION ALL SELECT format('LARGE OBJECT %s', oid), '', lomacl FROM pg_largeobject_metadata),
grants AS (
    SELECT what, part, privilege_type, rolname, bool_or(is_grantable) AS grantable
    FROM acls CROSS JOIN aclexplode(acl) JOIN users u ON u.oid = grantee GROUP BY 1, 2, 3, 4),
defaults AS (
    SELECT d.oid, d.defaclrole AS role, n.nspname, d.defaclobjtype AS kind, e.grantee, e.privilege_type, e.is_grantable, sign
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
    CROSS JOIN LATERAL (
        (SELECT grantee, privilege_type, is_grantable, 1 FROM aclexplode(d.defaclacl)
         EXCEPT SELECT grantee, privilege_type, is_grantable, 1 FROM aclexplode(acldefault(lower(d.defaclobjtype::text)::"char", d.defaclrole)) WHERE n.oid IS NULL)
        UNION ALL
        (SELECT grantee, privilege_type, is_grantable, -1 FROM aclexplode(acldefault(lower(d.defaclobjtype::text)::"char", d.defaclrole)) WHERE n.oid IS NULL
         EXCEPT SELECT grantee, privilege_type, is_grantable, -1 FROM aclexplode(d.defaclacl))) AS e (grantee, privilege_type, is_grantable, sign)
    WHERE d.defaclrole IN (SELECT oid FROM users) OR e.grantee IN (SELECT oid FROM users)),
changes AS (
    SELECT d.*, step,
           CASE WHEN step = 1 AND role IN (SELECT oid FROM users) THEN :'owner' ELSE pg_get_userbyid(role) END AS of_role,
           CASE WHEN step = 1 AND grantee IN (SELECT oid FROM users) THEN :'owner' WHEN grantee = 0 THEN 'public' ELSE pg_get_userbyid(grantee) END AS to_role
    FROM defaults d CROSS JOIN (VALUES (1), (-1)) AS s (step)),
statements (position, statement) AS (
    SELECT 1, format('GRANT %s%s ON %s TO %I%s; REVOKE %1$s%2$s ON %3$s FROM %6$I;', privilege_type, part, what, :'owner',
                     CASE WHEN grantable THEN ' WITH GRANT OPTION' ELSE '' END, rolname)
    FROM grants
    UNION ALL
    SELECT 3 - step, format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s %s %s ON %s %s %s%s;', of_role, ' IN SCHEMA ' || quote_ident(nspname),
        CASE WHEN sign = step THEN 'GRANT' ELSE 'REVOKE' END, privilege_type,
        CASE kind WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
        CASE WHEN sign = step THEN 'TO' ELSE 'FROM' END, CASE to_role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(to_role) END,
        CASE WHEN is_grantable AND sign = step THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM changes
    UNION ALL
    SELECT 5, format('ALTER POLICY %I ON %s TO %s;', polname, polrelid::regclass, (
        SELECT string_agg(DISTINCT CASE WHEN role IN (SELECT oid FROM users) THEN quote_ident(:'owner') WHEN role = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(role)) END, ', ')
        FROM unnest(polroles) AS role))
    FROM pg_policy WHERE polroles && ARRAY(SELECT oid FROM users)
    UNION ALL
    SELECT 6, format('CREATE USER MAPPING FOR %I SERVER %I /* OPTIONS (...), as %s has them */; DROP USER MAPPING FOR %3$I SERVER %2$I;', :'owner', srvname, usename)
    FROM pg_user_mappings JOIN users u ON u.oid = umuser
    UNION ALL
    SELECT DISTINCT 7, format('-- %I has something in the database %I: run this script there', u.rolname, o.datname)
    FROM pg_shdepend d JOIN users u ON u.oid = d.refobjid JOIN pg_database o ON o.oid = d.dbid
    WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype IN ('o', 'a', 'r') AND o.datname <> current_database())
SELECT string_agg('    ' || statement, E'\n' ORDER BY position, statement) AS leftovers FROM statements \gset

-- The script names whatever has no statement above.
SELECT string_agg(format('    -- %I %s %s', r.rolname, CASE d.deptype WHEN 'o' THEN 'owns' WHEN 'a' THEN 'holds privileges on' ELSE 'is named by' END,
                         pg_describe_object(d.classid, d.objid, d.objsubid)), E'\n') AS rest
FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid LEFT JOIN pg_database o ON o.oid = d.dbid
WHERE d.refclassid = 'pg_authid'::regclass AND d.classid <> 'pg_auth_members'::regclass AND d.deptype IN ('o', 'a', 'r')
  AND (d.dbid = 0 OR o.datname = current_database()) AND r.rolname IN (:'user_a', :'user_b') \gset

\if :{?leftovers}
    \warn 'The users have what the owner role has not. Run these, then this script again:'
    \warn :leftovers
\endif
\if :{?rest}
    \if :{?leftovers}
    \else
        \warn 'The users have what the owner role has not. Give it to the owner role, then run this script again:'
    \endif
    \warn :rest
    DO $$ BEGIN RAISE 'the users have something that the owner role has not'; END $$;
\elif :{?leftovers}
    DO $$ BEGIN RAISE 'the users have something that the owner role has not'; END $$;
\endif

-- 6. From now on sessions of both begin as the owner role, and what they make is
-- its. Last, because from here on a rotation takes the users for complete.

ALTER ROLE :"user_a" SET role = :'owner';
ALTER ROLE :"user_b" SET role = :'owner';

-- 7. The rotator may set the two passwords. From PostgreSQL 16 on that is all: it
-- administers the two users, has none of their rights and cannot act as them.
-- Before 16, CREATEROLE alone reaches every role that is no superuser. With
-- rds.restrict_password_commands it also needs to be a member of rds_password.

SELECT format('GRANT %I TO %I WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', name, :'rotator')
FROM unnest(ARRAY[:'user_a', :'user_b']) AS name
WHERE current_setting('server_version_num')::int >= 160000 \gexec

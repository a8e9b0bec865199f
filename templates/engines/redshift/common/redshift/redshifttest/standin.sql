-- These views say what Redshift's would, from PostgreSQL's catalogues. It is run by a superuser in a database that
-- may be played with. Roles that no one logs in as stand in for groups; there is nothing that stands in for Redshift's
-- roles. New passwords are kept as MD5, as Redshift keeps those that it is given in clear text.
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET password_encryption = md5', current_database()); END $$;
SET password_encryption = md5;
SET allow_system_table_mods = on;

CREATE VIEW pg_catalog.svv_user_info AS
SELECT rolname AS user_name, CASE rolconnlimit WHEN -1 THEN 'UNLIMITED' ELSE rolconnlimit::text END AS connection_limit,
       0 AS session_timeout, 'RESTRICTED' AS syslog_access
FROM pg_roles WHERE rolcanlogin;

CREATE VIEW pg_catalog.svv_user_grants AS
SELECT NULL::name AS user_name, NULL::name AS role_name, NULL::boolean AS admin_option WHERE false;

CREATE VIEW pg_catalog.svv_default_privileges AS
SELECT r.rolname AS grantee_name, 'user' AS grantee_type
FROM pg_default_acl d, aclexplode(d.defaclacl) a, pg_roles r
WHERE r.oid = a.grantee AND r.rolcanlogin AND a.grantee <> d.defaclrole;

CREATE VIEW pg_catalog.svv_relation_privileges AS
SELECT r.rolname AS identity_name, 'user' AS identity_type
FROM pg_class c, aclexplode(c.relacl) a, pg_roles r WHERE r.oid = a.grantee AND r.rolcanlogin AND a.grantee <> c.relowner;

CREATE VIEW pg_catalog.svv_column_privileges AS
SELECT r.rolname AS identity_name, 'user' AS identity_type
FROM pg_attribute c, aclexplode(c.attacl) a, pg_roles r WHERE r.oid = a.grantee AND r.rolcanlogin;

CREATE VIEW pg_catalog.svv_schema_privileges AS
SELECT r.rolname AS identity_name, 'user' AS identity_type
FROM pg_namespace c, aclexplode(c.nspacl) a, pg_roles r WHERE r.oid = a.grantee AND r.rolcanlogin AND a.grantee <> c.nspowner;

CREATE VIEW pg_catalog.svv_database_privileges AS
SELECT r.rolname AS identity_name, 'user' AS identity_type
FROM pg_database c, aclexplode(c.datacl) a, pg_roles r WHERE r.oid = a.grantee AND r.rolcanlogin AND a.grantee <> c.datdba;

CREATE VIEW pg_catalog.svv_function_privileges AS
SELECT r.rolname AS identity_name, 'user' AS identity_type
FROM pg_proc c, aclexplode(c.proacl) a, pg_roles r WHERE r.oid = a.grantee AND r.rolcanlogin AND a.grantee <> c.proowner;

CREATE VIEW pg_catalog.svv_language_privileges AS
SELECT r.rolname AS identity_name, 'user' AS identity_type
FROM pg_language c, aclexplode(c.lanacl) a, pg_roles r WHERE r.oid = a.grantee AND r.rolcanlogin AND a.grantee <> c.lanowner;

-- PostgreSQL has nothing like these: tests fill them.
CREATE VIEW pg_catalog.svv_ml_model_privileges AS SELECT NULL::text AS identity_name, NULL::text AS identity_type WHERE false;
CREATE VIEW pg_catalog.svv_datashare_privileges AS SELECT NULL::text AS identity_name, NULL::text AS identity_type WHERE false;
CREATE VIEW pg_catalog.svv_iam_privileges AS SELECT NULL::text AS identity_name, NULL::text AS identity_type WHERE false;
CREATE VIEW pg_catalog.svv_attached_masking_policy AS SELECT NULL::text AS grantee, NULL::text AS grantee_type WHERE false;

CREATE VIEW pg_catalog.svv_rls_attached_policy AS
SELECT r.rolname AS grantee, 'user' AS granteekind FROM pg_policy p, pg_roles r WHERE r.oid = ANY (p.polroles) AND r.rolcanlogin;

-- All that an application's user may own, each with a trap in it that goes off where its code runs with rights that the
-- user has not.
CREATE SCHEMA traps;
GRANT USAGE ON SCHEMA traps TO PUBLIC;

CREATE FUNCTION traps.strike() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.nextval('witness.struck');
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN true;
END $$;

-- Relations of the catalogues.
DO $$
DECLARE
    name pg_catalog.name;
BEGIN
    FOR name IN SELECT relname FROM pg_catalog.pg_class
        WHERE relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND relkind IN ('r', 'v') LOOP
        BEGIN
            EXECUTE pg_catalog.format('CREATE VIEW traps.%1$I AS SELECT * FROM pg_catalog.%1$I WHERE traps.strike()', name);
            EXECUTE pg_catalog.format('GRANT SELECT ON traps.%I TO PUBLIC', name);
        EXCEPTION WHEN OTHERS THEN NULL; -- what the user may not read, or has a column that no view may have
        END;
    END LOOP;
END $$;

-- Functions, under names that a look at users and their rights may use.
DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments, pg_catalog.pg_get_function_result(p.oid) AS result
        FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.prokind = 'f'
        AND p.proname IN ('unnest', 'format', 'quote_ident', 'quote_literal', 'now', 'concat', 'set_config',
            'current_setting', 'current_database', 'current_schema', 'pg_advisory_lock', 'pg_advisory_xact_lock', 'pg_backend_pid',
            'pg_is_in_recovery', 'pg_has_role', 'pg_get_userbyid', 'pg_describe_object', 'has_parameter_privilege', 'aclexplode', 'substring', 'split_part',
            'array_to_string', 'pg_get_expr', 'pg_identify_object', 'regexp_match', 'regexp_matches', 'lower', 'length') LOOP
        BEGIN
            EXECUTE pg_catalog.format('CREATE FUNCTION traps.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', f.proname, f.arguments, f.result,
                CASE WHEN f.result LIKE 'SETOF %' OR f.result LIKE 'TABLE%' THEN 'BEGIN PERFORM traps.strike(); RETURN; END'
                ELSE 'BEGIN PERFORM traps.strike(); RETURN NULL; END' END);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END $$;

-- Operators.
DO $$
DECLARE
    o record;
BEGIN
    FOR o IN SELECT oprname, pg_catalog.format_type(oprleft, NULL) AS l, pg_catalog.format_type(oprright, NULL) AS r
        FROM pg_catalog.pg_operator WHERE oprname IN ('=', '<>', '<', '<=', '>=', '||', '~~', '!~~', '~') AND oprleft <> 0 LOOP
        BEGIN
            EXECUTE pg_catalog.format('CREATE FUNCTION traps.operate(%s, %s) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN RETURN traps.strike(); END''', o.l, o.r);
        EXCEPTION WHEN OTHERS THEN NULL; -- it is there for another operator
        END;
        BEGIN
            EXECUTE pg_catalog.format('CREATE OPERATOR traps.%s (FUNCTION = traps.operate, LEFTARG = %s, RIGHTARG = %s)', o.oprname, o.l, o.r);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
END $$;

-- Types, and casts from one.
CREATE DOMAIN traps.regclass AS pg_catalog.text CHECK (traps.strike());
CREATE DOMAIN traps.text AS pg_catalog.text CHECK (traps.strike());
CREATE DOMAIN traps.name AS pg_catalog.text CHECK (traps.strike());
CREATE DOMAIN traps.int4 AS pg_catalog.int4 CHECK (traps.strike());
CREATE TYPE traps.pretence AS (n pg_catalog.int4);
CREATE FUNCTION traps.pretend(traps.pretence) RETURNS pg_catalog.text LANGUAGE plpgsql AS 'BEGIN PERFORM traps.strike(); RETURN NULL; END';
CREATE CAST (traps.pretence AS pg_catalog.text) WITH FUNCTION traps.pretend(traps.pretence) AS IMPLICIT;

-- A table with a default, a check, a generated expression of an index, a rule, a trigger and a policy.
CREATE TABLE traps.orders (id pg_catalog.int4 DEFAULT traps.strike()::pg_catalog.int4, note pg_catalog.text CHECK (traps.strike()));
CREATE FUNCTION traps.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM traps.strike(); RETURN NEW; END';
CREATE TRIGGER fire BEFORE INSERT OR UPDATE OR DELETE ON traps.orders FOR EACH STATEMENT EXECUTE FUNCTION traps.fire();
CREATE RULE follow AS ON UPDATE TO traps.orders DO ALSO SELECT traps.strike();
ALTER TABLE traps.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY peek ON traps.orders USING (traps.strike());
CREATE FUNCTION traps.indexed(pg_catalog.int4) RETURNS pg_catalog.int4 IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM traps.strike(); RETURN 1; END';
CREATE INDEX ON traps.orders (traps.indexed(id));
CREATE MATERIALIZED VIEW traps.kept AS SELECT traps.strike();

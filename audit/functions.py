"""The PostgreSQL functions that write entries. The triggers call one of them, `audit.events` the other.

They run with the rights of their owner, so that a database role without any right on the table can only add entries.
The search path is fixed: a temporary table with the name of the trail must not receive its entries.
"""

from __future__ import annotations

# Names that the functions use, too: the setting that holds the context of changes in a transaction, see
# `audit.context`, and what the error about a missing reason is about.
CONTEXT_SETTING = "audit.context"
REASON_CONSTRAINT = "audit_reason_required"

_APPEND = """
CREATE FUNCTION audit_append(action text, model text, object_id text, object_label text, customer_id integer,
    storage_unit_id integer, person_id integer, before jsonb, after jsonb) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp SET timezone = 'UTC' AS $$
    INSERT INTO audit_entry (happened_at, action, actor_kind, actor_id, actor_name, actor_display_name, origin, process,
        address, request_id, database_user, model, object_id, object_label, customer_id, storage_unit_id, person_id,
        before, after, reason, transaction_id)
    -- Without a context the statement does not come from the application.
    SELECT clock_timestamp(), action,
        coalesce(who ->> 'kind', 'database'), (who ->> 'id')::integer,
        left(coalesce(who ->> 'name', session_user), 300),
        -- The name of a token is not known to its requests.
        left(coalesce(nullif(who ->> 'display_name', ''), (SELECT token_name FROM api_token
            WHERE who ->> 'kind' = 'token' AND id = (who ->> 'id')::integer), ''), 300),
        coalesce(who ->> 'origin', 'sql'),
        left(coalesce(who ->> 'process', current_setting('application_name'), ''), 300),
        CASE WHEN who IS NULL THEN inet_client_addr() ELSE (who ->> 'address')::inet END,
        (who ->> 'request_id')::uuid, session_user,
        coalesce(model, ''), left(coalesce(object_id, ''), 200), left(coalesce(object_label, ''), 300),
        customer_id, storage_unit_id, person_id, before, after,
        coalesce(who ->> 'reason', ''), pg_current_xact_id()::text::bigint
    FROM (SELECT nullif(current_setting('audit.context', true), '')::jsonb AS who) AS context
    RETURNING id
$$;
"""

# Arguments of the trigger: model, a query for label, customer, unit and person of the row $1, key columns, and columns
# that are not recorded, secret, URLs, and in need of a reason.
_RECORD_CHANGE = """
CREATE FUNCTION audit_record_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    old_row jsonb := to_jsonb(OLD);
    new_row jsonb := to_jsonb(NEW);
    this_row jsonb := coalesce(new_row, old_row);
    label text;
    customer integer;
    unit integer;
    person integer;
    changed text[];
BEGIN
    SELECT array_agg(key) INTO changed FROM jsonb_each(this_row)
    WHERE key <> ALL (TG_ARGV[3]::text[])
        AND (old_row IS NULL OR new_row IS NULL OR new_row -> key IS DISTINCT FROM old_row -> key);
    EXECUTE TG_ARGV[1] INTO label, customer, unit, person USING this_row;
    PERFORM audit_require_reason(customer, TG_OP, changed, TG_ARGV[6]::text[], old_row);
    PERFORM audit_append(
        CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'changed' ELSE 'deleted' END,
        TG_ARGV[0],
        (SELECT string_agg(this_row ->> key, '/' ORDER BY place)
            FROM unnest(TG_ARGV[2]::text[]) WITH ORDINALITY AS parts (key, place)),
        label, customer, unit, person,
        audit_values(old_row, changed, TG_ARGV[4]::text[], TG_ARGV[5]::text[]),
        audit_values(new_row, changed, TG_ARGV[4]::text[], TG_ARGV[5]::text[]));
    RETURN NULL;
END
$$;
"""

# What is encrypted is a secret in any column: a migration may fill one that the triggers do not know yet.
# Of a URL the scheme and the host are recorded: paths, parameters and user names may be secrets.
_VALUES = r"""
CREATE FUNCTION audit_values(of_row jsonb, names text[], secret text[], urls text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(key, CASE
        WHEN value IN ('null', '""') THEN value
        WHEN key = ANY (secret) OR value #>> '{}' LIKE 'gAAAAA%' THEN to_jsonb('(secret)'::text)
        WHEN key = ANY (urls) AND value #>> '{}' ~ '[/?#]' THEN to_jsonb(coalesce(
            regexp_replace(substring(value #>> '{}' FROM '^([a-z][a-z0-9+.-]*://[^/?#\s]+)'), '//.*@', '//')
                || '/…',
            '(secret)'))
        ELSE value END)
    FROM jsonb_each(of_row) WHERE key = ANY (names)
$$;
"""

# Processes state no reasons: what they do follows from what people decided.
_REQUIRE_REASON = """
CREATE FUNCTION audit_require_reason(of_customer integer, operation text, changed text[], needing text[],
    old_row jsonb) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    who jsonb := nullif(current_setting('audit.context', true), '')::jsonb;
BEGIN
    IF NOT (operation = ANY (needing) OR (operation = 'UPDATE' AND changed && needing))
        OR coalesce(who ->> 'kind', '') NOT IN ('person', 'token') OR coalesce(who ->> 'reason', '') <> ''
    THEN
        RETURN;
    END IF;
    -- A row of a customer itself shows what was required before the change.
    IF (old_row ->> 'requires_reason')::boolean OR (SELECT requires_reason FROM customer WHERE id = of_customer) THEN
        RAISE EXCEPTION 'This customer requires a reason for this change.'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_reason_required';
    END IF;
END
$$;
"""

# A reading that is withdrawn becomes a revision first, by an earlier statement: the revision is the record of it, and
# entries about thousands of them would only repeat it. A deletion without a revision is recorded like any other.
_IS_WITHDRAWN = """
CREATE FUNCTION audit_is_withdrawn(unit integer, recorded timestamptz, sensor integer, arrived timestamptz)
RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM reading_revision WHERE storage_unit_id = unit AND recorded_at = recorded AND sensor_id = sensor
            AND arrived_at = arrived AND after_scale = ''
    );
END
$$;
"""

# One entry for each unit of a statement, however many of its readings are withdrawn.
_RECORD_WITHDRAWALS = """
CREATE FUNCTION audit_record_withdrawals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    PERFORM audit_append('deleted', 'readings.reading', unit.id::text, coalesce(nullif(unit.name, ''), unit.unit_code),
        facility.customer_id, unit.id, NULL,
        jsonb_build_object('withdrawn', count(*), 'first_recorded_at', min(recorded_at),
            'last_recorded_at', max(recorded_at), 'by', by, 'reason', added.reason),
        NULL)
    FROM added
    JOIN storage_unit AS unit ON unit.id = added.storage_unit_id
    JOIN facility ON facility.id = unit.facility_id
    WHERE after_scale = ''
    GROUP BY unit.id, facility.customer_id, by, added.reason ORDER BY unit.id;
    RETURN NULL;
END
$$;
"""

_KEEP_ENTRIES = """
CREATE FUNCTION audit_keep_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Entries of the audit trail are never changed or deleted.' USING ERRCODE = 'check_violation';
END
$$;
"""

_KEEP_USER_NAME = """
CREATE FUNCTION audit_keep_user_name() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
    given text := lower(normalize(NEW.username, NFKC));
    holder integer;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.username = NEW.username THEN
        RETURN NULL;
    END IF;
    INSERT INTO given_user_name (name, user_id) VALUES (given, NEW.id) ON CONFLICT (name) DO NOTHING;
    SELECT user_id INTO holder FROM given_user_name WHERE name = given;
    IF holder <> NEW.id THEN
        RAISE EXCEPTION 'Another account has or had the user name “%”. User names are never reused.', NEW.username
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'user_names_are_not_reused';
    END IF;
    RETURN NULL;
END
$$;
"""

# In the order in which they are created, each with its arguments, by which it is dropped.
FUNCTIONS = {
    "audit_append(text, text, text, text, integer, integer, integer, jsonb, jsonb)": _APPEND,
    "audit_values(jsonb, text[], text[], text[])": _VALUES,
    "audit_require_reason(integer, text, text[], text[], jsonb)": _REQUIRE_REASON,
    "audit_record_change()": _RECORD_CHANGE,
    "audit_is_withdrawn(integer, timestamptz, integer, timestamptz)": _IS_WITHDRAWN,
    "audit_record_withdrawals()": _RECORD_WITHDRAWALS,
    "audit_keep_entries()": _KEEP_ENTRIES,
    "audit_keep_user_name()": _KEEP_USER_NAME,
}
# Of earlier versions.
FORMER_FUNCTIONS = ("audit_require_reason(integer, text, text[], text[])",)


def function_statements(schema: str) -> list[str]:
    """Return the statements that create the functions, with the trail's tables in this schema."""
    return [text.replace("@schema@", f'"{schema}"') for text in FUNCTIONS.values()]

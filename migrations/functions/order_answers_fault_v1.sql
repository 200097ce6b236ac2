-- What is wrong with the answers to a kind's form: the refusal as JSON, or NULL.
CREATE FUNCTION order_answers_fault(p_tenant uuid, p_kind text, p_form_version bigint, p_answers jsonb)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT NULL::text
$$

-- What is wrong with the answers to a kind's form: the refusal as JSON, or NULL. p_form_version NULL: nothing is asked.
CREATE FUNCTION order_answers_fault(p_tenant uuid, p_kind text, p_form_version bigint, p_answers jsonb)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_faults jsonb := order_form_faults(
        (
            SELECT f.questions FROM order_kind_forms f
            WHERE f.tenant_id = p_tenant AND f.kind = p_kind AND f.version = p_form_version
        ),
        p_answers
    );
BEGIN
    RETURN CASE WHEN v_faults <> '[]' THEN json_build_object('code', 'form_incomplete', 'faults', v_faults)::text END;
END $$

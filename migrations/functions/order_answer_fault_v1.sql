-- What is wrong with one answer of an order's form: missing, type, choice or range; NULL when nothing is.
-- Never raises, whatever the JSON. The same in Python: tests/orders/kinds/forms.py. Text is measured trimmed.
CREATE FUNCTION order_answer_fault(p_question jsonb, p_answer jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_kind text := COALESCE(jsonb_typeof(p_answer), 'null');
    v_type text := p_question ->> 'type';
    v_text text := btrim(p_answer #>> '{}', E' \t\n\r\u3000');
    v_least numeric := CASE WHEN jsonb_typeof(p_question -> 'min') = 'number' THEN (p_question ->> 'min')::numeric END;
    v_most numeric := CASE WHEN jsonb_typeof(p_question -> 'max') = 'number' THEN (p_question ->> 'max')::numeric END;
    v_number numeric;
    v_choices jsonb;
BEGIN
    IF v_kind = 'null' OR v_kind = 'string' AND v_text = '' OR v_kind = 'array' AND jsonb_array_length(p_answer) = 0 THEN
        RETURN CASE WHEN p_question -> 'required' = 'true' THEN 'missing' END;
    END IF;
    IF v_kind <> (
        CASE v_type WHEN 'number' THEN 'number' WHEN 'boolean' THEN 'boolean' WHEN 'choices' THEN 'array' ELSE 'string' END
    ) THEN
        RETURN 'type';
    END IF;
    CASE v_type
    WHEN 'text' THEN
        IF char_length(v_text) NOT BETWEEN COALESCE(v_least, 0) AND COALESCE(v_most, 500) THEN
            RETURN 'range';
        END IF;
    WHEN 'number' THEN
        v_number := (p_answer #>> '{}')::numeric;
        IF p_question -> 'whole' = 'true' AND v_number <> trunc(v_number) THEN
            RETURN 'type';
        END IF;
        IF v_number NOT BETWEEN COALESCE(v_least, -1000000000) AND COALESCE(v_most, 1000000000) THEN
            RETURN 'range';
        END IF;
    WHEN 'date' THEN
        IF v_text !~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' THEN
            RETURN 'type';
        ELSIF left(v_text, 4) NOT BETWEEN '1900' AND '2200' THEN
            RETURN 'range';
        ELSIF right(v_text, 2)::int > extract(
            day FROM make_date(left(v_text, 4)::int, substr(v_text, 6, 2)::int, 1) + interval '1 month - 1 day'
        ) THEN
            RETURN 'type';
        END IF;
    WHEN 'phone' THEN
        -- As people write it: with spaces, hyphens and brackets.
        IF translate(v_text, E' \u3000-()（）', '') !~ '^[+]?[0-9]{5,15}$' THEN
            RETURN 'type';
        END IF;
    WHEN 'choice', 'choices' THEN
        IF v_type = 'choices' AND EXISTS (
            SELECT FROM jsonb_array_elements(p_answer) AS one WHERE jsonb_typeof(one) <> 'string'
        ) THEN
            RETURN 'type';
        END IF;
        SELECT jsonb_agg(jsonb_build_object('id', one)) INTO v_choices
        FROM jsonb_array_elements(CASE v_type WHEN 'choices' THEN p_answer ELSE jsonb_build_array(p_answer) END) AS one;
        IF NOT COALESCE(p_question -> 'choices' @> v_choices, false) OR jsonb_array_length(v_choices) > (
            SELECT count(DISTINCT one) FROM jsonb_array_elements(v_choices) AS one
        ) THEN
            RETURN 'choice';
        END IF;
    ELSE NULL;
    END CASE;
    RETURN NULL;
END $$

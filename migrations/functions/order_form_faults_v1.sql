-- What is wrong with the answers to an order's form: [{"question", "fault"}, …], empty when nothing is.
-- fault: unknown (no such question), missing, type, choice, range; in the order of the form, unknown ones last.
-- Never raises, whatever the JSON. Without a form (NULL) there is nothing to ask, and every answer is unknown.
CREATE FUNCTION order_form_faults(p_questions jsonb, p_answers jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_questions jsonb := CASE WHEN jsonb_typeof(p_questions) = 'array' THEN p_questions ELSE '[]' END;
    v_answers jsonb := CASE WHEN COALESCE(jsonb_typeof(p_answers), 'null') = 'null' THEN '{}' ELSE p_answers END;
    v_faults jsonb := '[]';
    v_question jsonb;
    v_fault text;
    v_name text;
BEGIN
    IF jsonb_typeof(v_answers) <> 'object' THEN
        RETURN '[{"question": "", "fault": "type"}]';
    END IF;
    FOR v_question IN SELECT * FROM jsonb_array_elements(v_questions) LOOP
        v_fault := order_answer_fault(v_question, v_answers -> (v_question ->> 'id'));
        IF v_fault IS NOT NULL THEN
            v_faults := v_faults || jsonb_build_object('question', v_question ->> 'id', 'fault', v_fault);
        END IF;
        v_answers := v_answers - COALESCE(v_question ->> 'id', '');
    END LOOP;
    FOR v_name IN SELECT name FROM jsonb_object_keys(v_answers) AS name ORDER BY name COLLATE "C" LOOP
        v_faults := v_faults || jsonb_build_object('question', left(v_name, 60), 'fault', 'unknown');
    END LOOP;
    RETURN v_faults;
END $$
